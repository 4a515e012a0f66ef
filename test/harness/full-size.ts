/** Graphs of the full-size networks, the same as the benches'. */
export * from '../../src/invsr/full-size.ts';
