/**
 * The files of a folder that cannot be listed, found by the names that Hugging Face repositories use: as few
 * requests as will do, since browsers' consoles show every one that fails. A folder of such a repository is known
 * by its name; the weights are asked for as checkpoint-files.ts would choose them, the likeliest first, and no
 * others once there are some.
 */

const DIFFUSERS = 'diffusion_pytorch_model';
const TRANSFORMERS = 'model';

/** One file, in half precision and in full. */
const single = (stem: string): string[] => [`${stem}.fp16.safetensors`, `${stem}.safetensors`];

const indexes = (stem: string): string[] => [
  `${stem}.safetensors.index.json`,
  `${stem}.safetensors.index.fp16.json`,
  `${stem}.fp16.safetensors.index.json`,
];

/** The names InvSR published its noise predictor under, and what `weights convert` makes of them. */
const PUBLISHED = [
  ...single('noise_predictor'),
  'noise_predictor.pth',
  'noise_predictor_sd_turbo_v5.pth',
  'noise_predictor_sd_turbo_v5_diftune.pth',
];

const WITHOUT_WEIGHTS: Readonly<Record<string, readonly string[]>> = {
  scheduler: ['scheduler_config.json'],
  tokenizer: ['special_tokens_map.json', 'tokenizer_config.json'],
};

const NETWORKS = ['unet', 'vae', 'noise_predictor', 'text_encoder'];

/** Beside weights. */
const EXTRAS = new Set([
  'config.json',
  'model_index.json',
  'prompt_embeds.safetensors',
  ...Object.values(WITHOUT_WEIGHTS).flat(),
]);

/** Names to try, some at a time. */
function roundsOf(folder: string): readonly (readonly string[])[] {
  const others = WITHOUT_WEIGHTS[folder];
  if (others) return [others];
  const isNetwork = NETWORKS.includes(folder);
  const stems = [DIFFUSERS, TRANSFORMERS];
  const [first = '', second = ''] = folder === 'text_encoder' ? stems.toReversed() : stems;
  const likely = isNetwork
    ? ['config.json', ...single(first)]
    : [...EXTRAS, ...stems.flatMap(single)];
  const published = folder === 'text_encoder' ? [] : PUBLISHED;
  return [
    likely,
    isNetwork ? [...published, ...single(second)] : published,
    stems.flatMap(indexes),
  ];
}

/** Those that `exists` finds. */
export async function findFiles(
  folder: string,
  exists: (file: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const names of roundsOf(folder)) {
    const answers = await Promise.all(names.map(exists));
    found.push(...names.filter((_, i) => answers[i]));
    const isNone = found.length === 0 && NETWORKS.includes(folder); // not even a config
    if (isNone || found.some((name) => !EXTRAS.has(name))) break;
  }
  return found;
}
