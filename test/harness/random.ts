/** Seeded test data, the same as the benches'. */
export { normal, uniform } from '../../bench/random.ts';
