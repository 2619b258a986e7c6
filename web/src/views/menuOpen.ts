import { effect, signal } from '@preact/signals';
import { route } from '../state/route';

/** Whether the folders are shown over the page, on small screens. */
export const isMenuOpen = signal(false);

effect(() => {
  void route.value;
  isMenuOpen.value = false;
});
