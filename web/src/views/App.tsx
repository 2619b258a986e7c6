import { current } from '../state/accounts';
import { Notices } from './Notices';
import { Shell } from './Shell';
import { SignIn } from './SignIn';
import { isAdding } from './adding';

export function App() {
  const box = current.value;
  if (!box || isAdding.value) {
    return (
      <>
        <SignIn key={box ? 'more' : 'first'} onCancel={box && (() => (isAdding.value = false))} />
        <Notices />
      </>
    );
  }
  return <Shell key={box.id} />;
}
