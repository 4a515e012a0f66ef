import type { Plugin } from 'rolldown';

export function minifyWgsl(raw: string, hasLines?: boolean): string;
export function minifyTemplates(path: string, text: string): string;
export const minifyWgslPlugin: Plugin;
