"""The model card: README.md of a bundle, with the YAML front matter that model hubs read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoft.progress import example_inputs
from autoft.report.certainty import calibration_in_words, calibration_of
from autoft.runtime.schemas import answer_kind

if TYPE_CHECKING:
    from autoft.runtime.bundle import Manifest

PIPELINES = {
    "text-classification": "text-classification",
    "multi-label": "text-classification",
    "pair-classification": "text-classification",
    "pair-score": "sentence-similarity",
    "text-regression": "text-classification",
    "token-classification": "token-classification",
    "seq2seq": "text2text-generation",
}
"""Task -> the hubs' word for it."""
SHOWN_LABELS = 40


def model_card(manifest: Manifest, result: Mapping[str, Any]) -> str:
    """Markdown. `result` is the content of result.json; figures it does not hold are left out."""
    parts = [_front_matter(manifest, result), f"# {_md(_name(manifest))}", _summary(manifest, result)]
    parts += [_use(manifest), _figures(manifest, result), _data(manifest, result), _proof(manifest), _limits(manifest), _origin(manifest)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _name(manifest: Manifest) -> str:
    return f"{manifest.provenance.candidate} for {manifest.problem.task}"


def _front_matter(manifest: Manifest, result: Mapping[str, Any]) -> str:
    problem = manifest.problem
    lines = ["---"]
    licences = sorted(set(manifest.licences.values()))
    if licences:
        lines.append(f"license: {_yaml(licences[0].lower() if len(licences) == 1 else 'other')}")
    if problem.language:
        lines += ["language:", f"- {_yaml(problem.language)}"]
    pipeline = PIPELINES.get(problem.task)
    if pipeline:
        lines.append(f"pipeline_tag: {pipeline}")
    lines += ["library_name: onnx", "tags:", "- autoft", "- onnx", "metrics:", f"- {_yaml(problem.metric.name)}"]
    test = _test(manifest, result)
    if test:
        lines += [
            "model-index:",
            f"- name: {_yaml(_name(manifest))}",
            "  results:",
            "  - task:",
            f"      type: {_yaml(pipeline or problem.task)}",
        ]
        lines += ["    dataset:", "      name: held-out test rows", "      type: private", "    metrics:"]
        for name, value in test.items():
            lines += [f"    - type: {_yaml(name)}", f"      value: {float(value):.6g}"]
    return "\n".join([*lines, "---"])


def _summary(manifest: Manifest, result: Mapping[str, Any]) -> str:
    source = manifest.provenance.source
    base = f" It was fine-tuned from {_md(source)}." if source else " It uses no pretrained weights."
    verdict = str(result.get("verdict") or "")
    return f"A model for {_md(manifest.problem.task)}, found, exported and proved by autoft {_md(manifest.autoft)}.{base}" + (
        f"\n\n{_md(verdict)}" if verdict else ""
    )


def _use(manifest: Manifest) -> str:
    problem = manifest.problem
    fields = ", ".join(f"`{_code(role)}`" for role in problem.inputs)
    lines = ["## How to use", "", f"Input: {fields}. {_answers(manifest)}".rstrip()]
    example = example_inputs(problem.fields)
    if "text" in problem.inputs:
        lines += ["", "```sh", f"autoft predict . {example}", "autoft serve .", "```"]
    row = '"a text"' if problem.inputs == ("text",) else json.dumps(dict.fromkeys(problem.inputs, "..."), ensure_ascii=False)
    lines += ["", "```python", "import autoft", "", 'model = autoft.load(".")', f"model.predict([{row}])", "```"]
    if manifest.encoder.name == "tokens" and "tokenizer.json" in manifest.files:
        lines += ["", *_with_onnxruntime(manifest)]
    else:
        lines += ["", f"Inputs are made by {_encoder(manifest)}; their names, types and shapes are in autoft.json."]
    # A frozen source with a head of ours is no class that transformers knows.
    if manifest.provenance.candidate.startswith("full:") and manifest.encoder.name in ("tokens", "words"):
        lines += _with_transformers(manifest)
    needed = [package for package in manifest.plugin_packages if package.answering]
    if needed:
        named = ", ".join(f"`{_code(one.requirement)}` ({_md(', '.join(one.answering))})" for one in needed)
        install = "pip install " + " ".join(one.requirement for one in needed)
        lines += ["", f"The bundle needs plugins that it does not hold: {named}.", "", "```sh", install, "```"]
    if manifest.plugin_files:
        named = ", ".join(f"`{_code(plugin.name)}` (sha256 {plugin.sha256})" for plugin in manifest.plugin_files)
        lines += ["", f"The bundle needs a plugin that it does not hold: {named}. Pass it with `--plugin FILE`."]
    return "\n".join(lines)


def _encoder(manifest: Manifest) -> str:
    """The encoder, and whose it is; of several plugin files a bundle does not tell which gave it."""
    package = manifest.package_of("encoder", manifest.encoder.name)
    if package is not None:
        return f"the encoder `{_code(manifest.encoder.name)}` of `{_code(package.requirement)}`"
    whose = "the" if manifest.plugin_files else "autoft's"
    return f"{whose} encoder `{_code(manifest.encoder.name)}`"


def _answers(manifest: Manifest) -> str:
    """What the answers may be."""
    kind, labels = answer_kind(manifest.output_schema), manifest.problem.labels
    if kind == "entities":
        labels = tuple(dict.fromkeys(label.partition("-")[2] for label in labels if "-" in label))
    words = {"labels": "any number of ", "entities": "entities of the kinds ", "score": "a number", "text": "a text"}.get(kind or "", "")
    named = ", ".join(map(_md, labels[:SHOWN_LABELS]))
    more = f" and {len(labels) - SHOWN_LABELS} more" if len(labels) > SHOWN_LABELS else ""
    return f"Answers: {words}{named}{more}." if words or named else ""


def _with_onnxruntime(manifest: Manifest) -> list[str]:
    served = manifest.formats.get(manifest.exporter)
    graphs = served.files if served else tuple(sorted(manifest.files))
    graph = next((name for name in graphs if name.endswith(".onnx")), "onnx/model.onnx")
    texts = ", ".join(['"a text"', '"another text"'][: len(manifest.problem.inputs)])
    answer = {
        "regression": ["print(float(logits[0, 0]))"],
        "multi_label_classification": [
            "scores = 1 / (1 + np.exp(-logits[0]))",
            'print({config["id2label"][str(code)]: float(score) for code, score in enumerate(scores)})',
        ],
    }.get(manifest.problem.head.kind, ['print(config["id2label"][str(int(logits.argmax()))])'])
    return [
        "Without autoft, on onnxruntime and tokenizers alone:",
        "",
        "```python",
        "import json",
        "",
        "import numpy as np",
        "import onnxruntime",
        "from tokenizers import Tokenizer",
        "",
        'config = json.load(open("config.json", encoding="utf-8"))',
        f'encoding = Tokenizer.from_file("tokenizer.json").encode({texts})',
        f"session = onnxruntime.InferenceSession({json.dumps(graph)})",
        'made = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}',
        "feeds = {i.name: np.array([made[i.name]], dtype=np.int64) for i in session.get_inputs()}",
        'logits = session.run(["logits"], feeds)[0]',
        *answer,
        "```",
    ]


def _with_transformers(manifest: Manifest) -> list[str]:
    """Where a pipeline of the library answers as the bundle does: not with a CRF, which it does not know."""
    options = {
        "single_label_classification": ("text-classification", ""),
        "multi_label_classification": ("text-classification", ", top_k=None"),
        "regression": ("text-classification", ', function_to_apply="none"'),
        "token_classification": ("token-classification", ', aggregation_strategy="first"'),
    }
    kind = manifest.problem.head.kind
    if kind not in options or manifest.provenance.hyperparameters.get("crf"):
        return []
    pipeline, option = options[kind]
    asked = '"a text"' if len(manifest.problem.inputs) == 1 else '{"text": "a text", "text_pair": "another text"}'
    differs = {
        "multi_label_classification": "knows no thresholds: it scores every label, and which count is left to the caller",
        "token_classification": "drops what is behind the tokenizer's longest input, and lets an entity begin with an inside tag",
    }
    return [
        "",
        "With transformers, from the folder `model` that the run left beside this bundle:",
        "",
        "```python",
        "from transformers import pipeline",
        "",
        f'ask = pipeline("{pipeline}", model="../model", tokenizer="."{option})',
        f"ask({asked})",
        "```",
        *(["", f"Unlike the bundle, the pipeline {differs[kind]}."] if kind in differs else []),
    ]


def _figures(manifest: Manifest, result: Mapping[str, Any]) -> str:
    best = result.get("best") if isinstance(result.get("best"), Mapping) else {}
    validation = dict(manifest.figures.get("validation") or (best.get("validation") if isinstance(best, Mapping) else None) or {})
    test = _test(manifest, result)
    if not validation and not test:
        return ""
    lines = ["## Figures", "", "| metric | validation rows | test rows |", "|---|---|---|"]
    for name in dict.fromkeys([*test, *validation]):
        lines.append(f"| {_md(name)} | {_value(validation.get(name))} | {_value(test.get(name))} |")
    interval = result.get("interval")
    if isinstance(interval, Mapping):
        lines.append("")
        for name, words in (("winner", "this model"), ("baseline", "the baseline"), ("lead", "this model's lead over it")):
            found = interval.get(name)
            if isinstance(found, Mapping) and {"value", "low", "high"} <= set(found):
                low, high = float(found["low"]), float(found["high"])
                # One without width is told of few rows, or of faultless answers, and says nothing of others.
                within = f", 95 % interval {low:.3f} to {high:.3f}" if low < high else ""
                lines.append(f"- {_md(manifest.problem.metric.name)} of {words}: {float(found['value']):.3f}{within}")
    lines += ["", "The test rows were looked at once, after every choice had been made."]
    calibration = calibration_of(result)
    if calibration is not None:
        lines += ["", _md(calibration_in_words(calibration))]
    return "\n".join(lines)


def _data(manifest: Manifest, result: Mapping[str, Any]) -> str:
    problem = manifest.problem
    roles = ", ".join(f"{_md(role)} from {_md(' + '.join(names))}" for role, names in problem.fields.items())
    lines = ["## Data", "", f"Columns: {roles}. sha256 of the content: `{_code(problem.data_sha256 or 'unknown')}`."]
    rows = result.get("rows")
    if isinstance(rows, Mapping):
        lines.append("Rows: " + ", ".join(f"{number} {_md(part)}" for part, number in rows.items()) + ".")
    if result.get("refit"):
        lines.append("The final weights learned from all rows that are not test.")
    return "\n".join(lines)


def _proof(manifest: Manifest) -> str:
    proof = manifest.proof
    if not proof:
        return ""
    combinations = proof.get("combinations")
    number = len(combinations) if isinstance(combinations, list | tuple) else combinations
    difference = proof.get("max_difference")
    said = f"largest difference {float(difference):.1e}" if isinstance(difference, int | float) else "difference not recorded"
    over = f"{said} over {number} combinations of batch, length and padding"
    if proof.get("rounding"):
        first = f"The exported graph rounds ({_md(proof['rounding'])}): {over}, "
    else:
        words = "gives the same answers as" if proof.get("passed") else "does NOT give the same answers as"
        first = f"The exported graph {words} the trained model: {over}, "
    lines = ["## Proof", "", first + f"{proof.get('changed_labels', 0)} changed answers on {proof.get('rows', 0)} rows."]
    return "\n".join([*lines, *_formats(manifest), *_vocabulary(manifest)])


def _formats(manifest: Manifest) -> list[str]:
    """A table, where there is a choice, or something was rounded."""
    formats = manifest.formats
    if len(formats) < 2 and not any(one.loss for one in formats.values()):
        return []
    lines = ["", "| format | files | size | same decisions | what rounding costs |", "|---|---|---|---|---|"]
    for name, one in formats.items():
        agreement = one.proof.get("agreement")
        same = "-" if agreement is None else f"{100 * float(agreement):.2f} %"
        files = ", ".join(f"`{_code(file)}`" for file in one.files)
        lines.append(f"| {_md(name)} | {files} | {one.bytes / 1e6:.1f} MB | {same} | {_cost(one.loss)} |")
    seen = any(one.loss and one.loss.get("weights") == "final" for one in formats.values())
    told = "It was measured on validation rows" + (", from which the weights had learned." if seen else " that the weights had not seen.")
    return [*lines, "", told] if any(one.loss for one in formats.values()) else lines


def _vocabulary(manifest: Manifest) -> list[str]:
    """What was left out of it, and what that costs."""
    trimmed = manifest.trimmed
    if trimmed is None:
        return []
    said = f"{trimmed.kept:,} of {trimmed.of:,} tokens were kept; other words are written by smaller pieces."
    cost = f"On validation rows whose own words had no say in it this costs {_points(trimmed.loss)}."
    return ["", f"The vocabulary was trimmed: {said} {cost} The figures above, and the test, are of the model before."]


def _cost(loss: Mapping[str, Any] | None) -> str:
    if loss is None:
        return "it does not round"
    return _points(loss)


def _points(loss: Mapping[str, Any]) -> str:
    measured = f"{loss['before']:.4f} to {loss['after']:.4f}" if loss.get("held_to") != "answers" else "by its own answers before"
    return f"{loss['points']:.2f} points of {_md(loss['metric'])} ({measured}, {loss['rows']} rows)"


def _limits(manifest: Manifest) -> str:
    lines = [
        "## Intended use and limits",
        "",
        "The model answers for inputs like those it learned from. On others its figures do not hold: measure first.",
    ]
    if longest := manifest.encoder.config.get("max_length"):
        lines.append(f"Inputs longer than {longest} units of its encoder are cut there.")
    if manifest.licences:
        lines.append("Licences: " + ", ".join(f"{_md(what)}: {_md(licence)}" for what, licence in manifest.licences.items()) + ".")
    return "\n".join(lines)


def _origin(manifest: Manifest) -> str:
    origin = manifest.provenance
    point = json.dumps(origin.hyperparameters, ensure_ascii=False, sort_keys=True, default=str)
    lines = [
        "## How it was made",
        "",
        f"- candidate: `{_code(origin.candidate)}`",
        f"- hyperparameters: `{_code(point)}`",
        f"- seed: {origin.seed}",
    ]
    if origin.averaged:
        lines.append(f"- weights: the mean of those of trials {', '.join(map(str, origin.averaged))} of the run")
    if manifest.plugin_packages:
        named = (f"{_md(one.requirement)} ({_md(', '.join(one.gives))})" for one in manifest.plugin_packages)
        lines.append("- packages of plugins: " + ", ".join(named))
    if origin.source_sha256:
        lines.append(f"- sha256 of the source: `{_code(origin.source_sha256)}`")
    if origin.run_id:
        lines.append(f"- run: `{_code(origin.run_id)}`")
    if origin.versions:
        lines.append("- versions: " + ", ".join(f"{_md(name)} {_md(version)}" for name, version in origin.versions.items()))
    return "\n".join(lines)


def _test(manifest: Manifest, result: Mapping[str, Any]) -> dict[str, float]:
    best = result.get("best")
    found = manifest.figures.get("test") or (best.get("test") if isinstance(best, Mapping) else None) or {}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and value == value}


def _value(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "-"


def _md(value: object) -> str:
    """Text that Markdown and the HTML made of it show as it stands."""
    line = " ".join(str(value).split())
    return re.sub(r"([\\`*\[\]<>|#~]|^[-+]|(?<!\w)_|_(?!\w))", r"\\\1", line).replace("&", "&amp;")


def _code(value: object) -> str:
    return " ".join(str(value).split()).replace("`", "'")


def _yaml(value: object) -> str:
    """A JSON string is a YAML string."""
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", text) and text.lower() not in {
        "y",
        "n",
        "no",
        "yes",
        "on",
        "off",
        "true",
        "false",
        "null",
    }
    return text if plain else json.dumps(text, ensure_ascii=False)
