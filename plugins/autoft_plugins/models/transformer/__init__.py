"""What the transformer models share.

`anatomy`, `encoding`, `tokenization`, `batches`, `schedule`, `spaces` and `proposals` import light; the rest imports torch.
"""
