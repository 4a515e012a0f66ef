import type { Plugin } from 'esbuild';

export function minifyWgsl(raw: string): string;
export function minifyTemplates(path: string, text: string): string;
export const minifyWgslPlugin: Plugin;
