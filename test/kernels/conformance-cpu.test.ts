/** The kernels for software adapters. */
import { conform } from './conform.ts';

conform('cpu');
