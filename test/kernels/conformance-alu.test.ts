/** The kernels for GPUs: they are right on software adapters too, only slow. */
import { conform } from './conform.ts';

conform('alu');
