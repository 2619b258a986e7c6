import { effect, signal } from '@preact/signals';
import { currentId } from '../state/accounts';

/** Whether the user adds an account beside those that there are. */
export const isAdding = signal(false);

effect(() => {
  void currentId.value;
  isAdding.value = false;
});
