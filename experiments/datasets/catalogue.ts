import { UsageError } from '../../engine/errors.ts';
import type { DatasetInfo } from './dataset.ts';

/** What is known of the sets before any file is opened: plain data, which command lines are made from. */

const splits = ['train', 'validation', 'test'] as const;
const hub = (repository: string): string =>
  `https://huggingface.co/datasets/${repository} (hf download --repo-type dataset ${repository} --local-dir ...)`;
const set = (info: Omit<DatasetInfo, 'splits' | 'usual_split'> & { splits?: readonly string[] }): DatasetInfo => ({
  splits,
  usual_split: 'validation',
  ...info,
});

/** Samples of the generated set: as many as a split of the published ones. */
export const SHAPES_SIZES = { train: 50_000, test: 5_000 } as const;

/** Every set by the study's name of it; the built-in one first. Sizes and limits of new tokens are the study's. */
export const DATASETS = {
  shapes: {
    title: 'generated pictures of shapes, and questions that each has one answer',
    splits: ['train', 'test'],
    usual_split: 'test',
    samples: SHAPES_SIZES.test,
    style: 'vqa2',
    new_tokens: 16,
    source: 'generated: nothing is downloaded',
  },
  coco_2014_vqa: set({
    title: 'VQA v2: questions about photographs of COCO 2014, ten answers each',
    samples: 214_354,
    style: 'vqa2',
    new_tokens: 16,
    source: 'https://visualqa.org/download.html',
  }),
  text_vqa: set({
    title: 'TextVQA: questions about text in photographs',
    samples: 5_000,
    style: 'text_vqa',
    new_tokens: 64,
    source: hub('facebook/textvqa'),
  }),
  okvqa: set({
    title: 'OK-VQA: questions that need knowledge from outside the picture',
    splits: ['train', 'validation'],
    samples: 5_046,
    style: 'okvqa',
    new_tokens: 16,
    source: hub('HuggingFaceM4/OK-VQA'),
  }),
  science_qa_img: set({
    title: 'ScienceQA, questions with a picture: school science, multiple choice',
    samples: 2_097,
    style: 'science_qa',
    new_tokens: 16,
    source: hub('derek-thomas/ScienceQA'),
  }),
  st_qa: set({
    title: 'ST-VQA, task 3: questions whose answer is written in the picture',
    samples: 1_024,
    style: 'st_qa',
    new_tokens: 32,
    source: 'https://rrc.cvc.uab.es/?ch=11 (Task 3, after registration)',
  }),
  doc_qa: set({
    title: 'DocumentVQA: questions about scanned pages',
    samples: 5_349,
    style: 'doc_qa',
    new_tokens: 32,
    source: hub('HuggingFaceM4/DocumentVQA'),
  }),
  tally_qa: {
    title: 'TallyQA: how many of something a photograph of COCO or Visual Genome shows',
    splits: ['train', 'test'],
    usual_split: 'test',
    samples: 26_451,
    style: 'tally_qa',
    new_tokens: 16,
    source: 'https://github.com/manoja328/tallyqa',
  },
  mmmu: set({
    title: 'MMMU: college questions of 30 subjects',
    splits: ['dev', 'train', 'validation', 'test'],
    samples: 900,
    style: 'a_okvqa_mc',
    new_tokens: 16,
    source: hub('MMMU/MMMU'),
  }),
  coco_caption: set({
    title: 'COCO 2014 captions: about five a photograph',
    splits: ['train', 'validation'],
    samples: 40_504,
    style: 'coco_captioning',
    new_tokens: 64,
    source: 'https://cocodataset.org/#download',
  }),
} as const satisfies Readonly<Record<string, DatasetInfo>>;
export type DatasetName = keyof typeof DATASETS;
export const DATASET_NAMES = Object.keys(DATASETS) as DatasetName[];

/** What is known of the set; a name that no set has is refused. */
export function dataset_info(name: string): DatasetInfo {
  if (Object.hasOwn(DATASETS, name)) return DATASETS[name as DatasetName];
  throw new UsageError(`dataset: expected one of ${DATASET_NAMES.join(', ')}, found ${JSON.stringify(name)}`);
}
