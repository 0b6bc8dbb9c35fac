"""What the transformer models share.

`anatomy`, `encoding`, `tokenization`, `batches`, `schedule`, `spaces`, `proposals` and the table of `objectives` import light; the rest
imports torch.
"""
