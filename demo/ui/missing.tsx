/** Where there is no WebGPU: which browsers have it, and what to switch on. Where something else failed: what. */
import type { DeviceState } from '../state/app.ts';
import { Icon } from './icons.tsx';

type State = Extract<DeviceState, { kind: 'missing' }>;
type Reason = State['reason'];

const AGENT = navigator.userAgent;
const IS_FIREFOX = /\bFirefox\//.test(AGENT);
const IS_ANDROID = /\bAndroid\b/.test(AGENT);
const IS_FIREFOX_ON_LINUX = IS_FIREFOX && !IS_ANDROID && /\bLinux\b/.test(AGENT);

const TITLES: Readonly<Record<Reason, string>> = {
  browser: IS_FIREFOX_ON_LINUX ? 'WebGPU is off in this browser' : 'This browser has no WebGPU yet',
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

/** What Linux builds of Firefox have switched off. */
const InFirefoxOnLinux = () => (
  <>
    open <code>about:config</code>, set <code>dom.webgpu.enabled</code> and{' '}
    <code>gfx.webgpu.ignore-blocklist</code> to true, start again
  </>
);

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
          {IS_FIREFOX_ON_LINUX && (
            <li>
              <b>This Firefox</b> has it switched off: <InFirefoxOnLinux />
            </li>
          )}
          <li>
            <b>Chrome and Edge</b> 113 or newer; 121 on Android; on Linux 144 with Intel’s graphics,
            147 with NVIDIA’s
          </li>
          <li>
            <b>Safari</b> 26 or newer on Mac, iPhone and iPad
          </li>
          <li>
            <b>Firefox</b> 141 or newer on Windows, 147 or newer on Macs with Apple chips
            {IS_FIREFOX && IS_ANDROID && '; not yet on Android'}
          </li>
          {!IS_FIREFOX && (
            <li>
              <b>On Linux</b> with other graphics, in Chrome: open{' '}
              <code>chrome://flags/#enable-unsafe-webgpu</code>, switch it on, start again
            </li>
          )}
        </ul>
      )}
      {reason === 'adapter' && (
        <ul class="facts">
          {IS_FIREFOX_ON_LINUX && (
            <li>
              In Firefox on Linux <InFirefoxOnLinux />
            </li>
          )}
          <li>
            In the browser’s settings, switch on <b>graphics acceleration</b>
          </li>
          <li>Update the graphics driver, then start the browser again</li>
          <li>
            <code>{IS_FIREFOX ? 'about:support' : 'chrome://gpu'}</code> tells what the browser has
            found
          </li>
        </ul>
      )}
      <button type="button" class="button" onClick={() => location.reload()}>
        Try again
      </button>
    </section>
  );
}
