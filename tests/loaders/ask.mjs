// What transformers.js answers: a request a line on standard input, its answer a line on standard output, both JSON.
//
//   node ask.mjs FOLDER        FOLDER/node_modules holds transformers.js
//
// A request has the `folder` of a bundle, a `dtype` and `texts`, each a text or a list of two; where transformers.js has no name for a
// format, the `suffix` of its files, too; and says `how`:
//   pipeline  the answer to each text by pipeline(`task`), called with `options`
//   logits    of the class of model that `task` has there, given tokenizer(text, {text_pair, ...`options`})
//   apart     as logits, each text of a pair in tokens of its own: ids of shape (1, 2, length)
//   greedy    what the graphs of an encoder and a decoder write, opened one by one: `text`, and the `logits` of its first token
//   ids       the tokens of each text, cut to the length that the model takes
//   decode    the text of each of `texts`, which are lists of ids
// The answer is {"answers": [...]}, one a text, or {"error": "..."}.
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";

console.log = console.info = console.warn = console.error; // standard output is for answers alone
const library = createRequire(join(process.argv[2], "package.json"))("@huggingface/transformers");
const { AutoConfig, AutoModel, AutoTokenizer, Tensor, env, pipeline } = library;
const CLASSES = {
  "text-classification": library.AutoModelForSequenceClassification,
  "token-classification": library.AutoModelForTokenClassification,
};
Object.assign(env, { allowRemoteModels: false, useFSCache: false, useWasmCache: false });

// The folder of a run and the bundle in it: as a model's name, one that no other bundle has.
function named(folder) {
  env.localModelPath = dirname(dirname(folder));
  return `${basename(dirname(folder))}/${basename(folder)}`;
}

function plain({ dims, data }) {
  return { dims, data: Array.from(data, Number) };
}

function int64(rows) {
  return new Tensor("int64", BigInt64Array.from(rows.flat().map(BigInt)), [rows.length, rows[0].length]);
}

// Which of a bundle's graphs.
function graph({ dtype, suffix }) {
  return suffix ? { dtype, model_file_name: `model${suffix}` } : { dtype };
}

const HOW = {
  async pipeline({ task, texts, options, ...request }, name) {
    const pipe = await pipeline(task, name, graph(request));
    const answers = [];
    for (const text of texts) answers.push(await pipe(text, options));
    await pipe.dispose();
    return answers;
  },

  async logits({ task, texts, options, apart = false, ...request }, name) {
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    const model = await CLASSES[task].from_pretrained(name, graph(request));
    const answers = [];
    for (const text of texts) {
      const [first, second] = [text].flat();
      const given = { padding: true, truncation: true, ...options };
      let inputs = apart ? tokenizer(text, given) : tokenizer(first, { text_pair: second ?? null, ...given });
      if (apart) inputs = Object.fromEntries(Object.entries(inputs).map(([key, tensor]) => [key, tensor.unsqueeze(0)]));
      answers.push(plain((await model(inputs)).logits));
    }
    await model.dispose();
    return answers;
  },

  async apart(request, name) {
    return HOW.logits({ ...request, apart: true }, name);
  },

  async greedy({ dtype, suffix = "", texts }, name) {
    const settings = await AutoConfig.from_pretrained(name);
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    const open = (model_file_name) =>
      AutoModel.from_pretrained(name, { dtype, model_file_name, config: { ...settings, model_type: "custom" } });
    const [encoder, decoder] = [await open(`encoder_model${suffix}`), await open(`decoder_model${suffix}`)];
    const answers = [];
    for (const { text, most, start, ends } of texts) {
      const inputs = tokenizer(text, { truncation: true });
      const { last_hidden_state } = await encoder(inputs);
      const written = [start];
      let beginning = null;
      while (written.length <= most && (written.length === 1 || !ends.includes(written.at(-1)))) {
        const { logits } = await decoder({
          input_ids: int64([written]),
          encoder_attention_mask: inputs.attention_mask,
          encoder_hidden_states: last_hidden_state,
        });
        const last = Array.from(logits.data.slice(-logits.dims.at(-1)));
        beginning ??= last;
        written.push(last.indexOf(Math.max(...last)));
      }
      answers.push({ text: tokenizer.decode(written, { skip_special_tokens: true }).trim(), logits: beginning });
    }
    await Promise.all([encoder.dispose(), decoder.dispose()]);
    return answers;
  },

  async ids({ texts }, name) {
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    return texts.map((text) => Array.from(tokenizer(text, { truncation: true }).input_ids.data, Number));
  },

  async decode({ texts }, name) {
    const tokenizer = await AutoTokenizer.from_pretrained(name);
    return texts.map((ids) => tokenizer.decode(ids, { skip_special_tokens: true }).trim());
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    answer = { answers: await HOW[request.how](request, named(request.folder)) };
  } catch (error) {
    answer = { error: `${error?.message ?? error}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
