/** The first screen: what this is, a photo to begin with, and what the model does to one of ours. */
import { useState } from 'preact/hooks';
import { openSample } from '../actions/photo.ts';
import { Icon } from './icons.tsx';

const SAMPLES = [
  { file: 'still-life-lr.png', name: 'Still life' },
  { file: 'garden-lr.png', name: 'Garden' },
] as const;

export function Welcome({ onChoose }: { readonly onChoose: () => void }) {
  return (
    <div class="welcome">
      <div class="welcome-text">
        <h1>Small photos, large and sharp.</h1>
        <p class="lead">
          Four times the width and height, with detail to match. Your own graphics card does the
          work: photos never leave this device.
        </p>
        <div class="welcome-actions">
          <button type="button" class="button primary large" onClick={onChoose}>
            <Icon name="photo" />
            Choose a photo
          </button>
          <p class="hint">or drop it anywhere, or paste it</p>
        </div>
        <div class="samples">
          <p class="hint">No photo at hand? Take one of ours.</p>
          <ul>
            {SAMPLES.map(({ file, name }) => (
              <li key={file}>
                <button type="button" class="sample" onClick={() => void openSample(file)}>
                  <img src={`samples/${file}`} alt="" width={44} height={44} />
                  <span>{name}</span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      </div>
      <Comparison />
    </div>
  );
}

/** One of our pictures before and after, to be wiped by hand. */
function Comparison() {
  const [share, setShare] = useState(46);
  return (
    <figure class="comparison" style={{ '--share': `${share}%` }}>
      <div class="comparison-pictures">
        <div class="soft">
          <img
            src="samples/still-life-lr.png"
            alt="Part of a still life of 128 × 128 pixels"
            width={128}
            height={128}
          />
        </div>
        <div class="crisp">
          <img
            src="samples/still-life-nano.webp"
            alt="The same part with 512 × 512 pixels"
            width={512}
            height={512}
          />
        </div>
        <span class="edge" aria-hidden="true" />
        <input
          type="range"
          min={0}
          max={100}
          value={share}
          aria-label="Compare before and after"
          aria-valuetext={`${Math.round(share)} percent before`}
          onInput={(event) => setShare(event.currentTarget.valueAsNumber)}
        />
      </div>
      <figcaption>
        <span>128 × 128</span>
        <span>512 × 512, by the built-in model</span>
      </figcaption>
    </figure>
  );
}
