import type { Source } from './claim.ts';

/** The study whose experiments this laboratory repeats: documents of the public repository ChulanZhang/molmo_hf. */
export const study = (where: string): Source => ({ who: 'the study, molmo_hf', where, year: null });

export const FASTV: Source = {
  who: 'Chen et al.',
  where: 'An Image is Worth 1/2 Tokens After Layer 2, ECCV, arXiv:2403.06764',
  year: 2024,
};
export const FASTVLM: Source = {
  who: 'Vasu et al.',
  where: 'FastVLM: Efficient Vision Encoding for Vision Language Models, CVPR, arXiv:2412.13303',
  year: 2025,
};
export const GSOP: Source = {
  who: 'Liu et al.',
  where: 'Beyond Token Pruning: Operation Pruning in Vision-Language Models, arXiv:2507.02909',
  year: 2025,
};
export const RIGHT_PROBLEM: Source = {
  who: 'Wen et al.',
  where:
    'Token Pruning in Multimodal Large Language Models: Are We Solving the Right Problem?, ACL Findings, arXiv:2502.11501',
  year: 2025,
};
export const PRUMERGE: Source = {
  who: 'Shang et al.',
  where: 'LLaVA-PruMerge: Adaptive Token Reduction for Efficient Large Multimodal Models, arXiv:2403.15388',
  year: 2024,
};
export const SPLITWISE: Source = {
  who: 'Patel et al.',
  where: 'Splitwise: Efficient Generative LLM Inference Using Phase Splitting, ISCA, arXiv:2311.18677',
  year: 2024,
};
export const GPT_FAST: Source = {
  who: 'Team PyTorch',
  where: 'Accelerating Generative AI with PyTorch II: GPT, Fast, pytorch.org/blog/accelerating-generative-ai-2',
  year: 2023,
};
export const FASTMMOE: Source = {
  who: 'Xia et al.',
  where:
    'FastMMoE: Accelerating Multimodal LLMs through Dynamic Expert Activation and Routing-Aware Token Pruning, arXiv:2511.17885',
  year: 2025,
};
export const LEXI: Source = {
  who: 'Chitty-Venkata et al.',
  where: 'LExI: Layer-Adaptive Active Experts for Efficient MoE Model Inference, arXiv:2509.02753',
  year: 2025,
};
export const MOE_SIEVE: Source = {
  who: 'MoE-Sieve',
  where: 'Routing-Guided LoRA for Efficient MoE Fine-Tuning, arXiv:2603.24044',
  year: 2026,
};
export const MOE_INFINITY: Source = {
  who: 'Xue et al.',
  where: 'MoE-Infinity: Offloading-Efficient MoE Model Serving, arXiv:2401.14361',
  year: 2024,
};
export const OLMOE: Source = {
  who: 'Muennighoff et al.',
  where: 'OLMoE: Open Mixture-of-Experts Language Models, arXiv:2409.02060',
  year: 2024,
};
export const SHORTENED_LLAMA: Source = {
  who: 'Kim et al.',
  where: 'Shortened LLaMA: Depth Pruning for Large Language Models, arXiv:2402.02834',
  year: 2024,
};
