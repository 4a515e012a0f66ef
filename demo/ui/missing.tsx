/** Where there is no WebGPU: which browsers have it, and what to switch on. Where something else failed: what. */
import type { DeviceState } from '../state/app.ts';
import { Icon } from './icons.tsx';

type State = Extract<DeviceState, { kind: 'missing' }>;
type Reason = State['reason'];

const TITLES: Readonly<Record<Reason, string>> = {
  browser: 'This browser has no WebGPU yet',
  insecure: 'This address is not secure',
  adapter: 'No graphics card can be used',
  failed: 'This page could not start',
};

const LEADS: Readonly<Record<Reason, string>> = {
  browser:
    'Photos are sharpened by your graphics card, and WebGPU is the way there. These have it:',
  insecure:
    'Browsers offer WebGPU on https addresses only. Open this page with https, or on localhost.',
  adapter:
    'This browser has WebGPU, but found no graphics card that it may use. One of these often helps:',
  failed: 'Something went wrong that it did not expect:',
};

export function Missing({ reason, details }: Pick<State, 'reason' | 'details'>) {
  return (
    <section class="missing">
      <span class="missing-icon">
        <Icon name="warning" />
      </span>
      <h1>{TITLES[reason]}</h1>
      <p class="lead">{LEADS[reason]}</p>
      {details !== undefined && <p>{details}</p>}
      {reason === 'browser' && (
        <ul class="facts">
          <li>
            <b>Chrome and Edge</b> 113 or newer; on Android 121 or newer
          </li>
          <li>
            <b>Safari</b> 26 or newer on Mac, iPhone and iPad
          </li>
          <li>
            <b>Firefox</b> 141 or newer on Windows, 145 or newer on Macs with Apple chips
          </li>
          <li>
            <b>On Linux</b> in Chrome: open <code>chrome://flags/#enable-unsafe-webgpu</code>,
            switch it on, start again
          </li>
        </ul>
      )}
      {reason === 'adapter' && (
        <ul class="facts">
          <li>
            In the browser’s settings, under System, switch on <b>graphics acceleration</b>
          </li>
          <li>Update the graphics driver, then start the browser again</li>
          <li>
            <code>chrome://gpu</code> tells what the browser has found
          </li>
        </ul>
      )}
      <button type="button" class="button" onClick={() => location.reload()}>
        Try again
      </button>
    </section>
  );
}
