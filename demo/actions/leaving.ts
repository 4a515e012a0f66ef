/** Leaving the page: the browser asks first where work would be lost. */
import { computed, effect } from '@preact/signals';
import * as app from '../state/app.ts';
import { isFleeting } from './models.ts';

const wouldLose = computed(() => {
  if (isFleeting.value) return true;
  if (app.picture.value === app.sample.value) return false; // made again by a click
  return app.isBusy.value || (app.result.value !== null && app.kept.value !== app.changes.value);
});

/** A listener that stays would keep browsers from keeping the page for the way back. */
export function guardLeaving(): void {
  const ask = (event: Event): void => event.preventDefault();
  effect(() => {
    if (wouldLose.value) addEventListener('beforeunload', ask);
    else removeEventListener('beforeunload', ask);
  });
}
