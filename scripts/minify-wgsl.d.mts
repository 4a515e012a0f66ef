import type { Plugin } from 'rolldown';

export function minifyTemplates(path: string, text: string): string;
export const minifyWgslPlugin: Plugin;
