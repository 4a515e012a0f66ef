/** Small parts that panels and dialogs are made of: a segmented choice, a dial, a switch, a field, a bar, what went wrong. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Icon, type IconName } from './icons.tsx';

interface Choice<T> {
  readonly value: T;
  readonly label: string;
  readonly icon?: IconName;
  /** For a person who wants to know more. */
  readonly hint?: string;
}

/** One of a few, as radio buttons: arrow keys walk. */
export function Segmented<T extends string | number>({
  label,
  value,
  choices,
  onChange,
  iconsOnly = false,
  disabled = false,
}: {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly Choice<T>[];
  readonly onChange: (value: T) => void;
  readonly iconsOnly?: boolean;
  readonly disabled?: boolean;
}) {
  const name = useId();
  return (
    <fieldset class="segmented" disabled={disabled}>
      <legend class="hidden">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} title={choice.hint ?? (iconsOnly ? choice.label : undefined)}>
          <input
            type="radio"
            name={name}
            value={String(choice.value)}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span>
            {choice.icon && <Icon name={choice.icon} />}
            <span class={iconsOnly ? 'hidden' : ''}>{choice.label}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function Row({
  label,
  hint,
  value,
  children,
}: {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly value?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="row">
      <div class="row-head">
        <span class="row-label">{label}</span>
        {value !== undefined && <span class="row-value">{value}</span>}
      </div>
      {children}
      {hint !== undefined && <p class="hint">{hint}</p>}
    </div>
  );
}

export function Dial({
  label,
  value,
  min,
  max,
  step,
  low,
  high,
  text,
  onInput,
  onReset,
}: {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** What the ends mean. */
  readonly low: string;
  readonly high: string;
  /** What a screen reader says for the value. */
  readonly text: string;
  readonly onInput: (value: number) => void;
  /** By a double click, as in other picture programs. */
  readonly onReset: () => void;
}) {
  const share = (value - min) / (max - min);
  return (
    <div class="dial">
      <input
        type="range"
        aria-label={label}
        aria-valuetext={text}
        min={min}
        max={max}
        step={step}
        value={value}
        style={{ '--share': String(share) }}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
        onDblClick={onReset}
      />
      <div class="dial-ends" aria-hidden="true">
        <span>{low}</span>
        <span>{high}</span>
      </div>
    </div>
  );
}

export function Switch({
  label,
  hint,
  checked,
  disabled = false,
  onChange,
}: {
  readonly label: string;
  readonly hint?: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <label class="switch">
      <span>
        <span class="row-label">{label}</span>
        {hint !== undefined && (
          <span class="hint" id={id}>
            {hint}
          </span>
        )}
      </span>
      <input
        type="checkbox"
        role="switch"
        aria-label={label}
        aria-describedby={hint === undefined ? undefined : id}
        checked={checked}
        disabled={disabled}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    </label>
  );
}

export function Select<T extends string | number>({
  label,
  value,
  choices,
  onChange,
}: {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly Choice<T>[];
  readonly onChange: (value: T) => void;
}) {
  return (
    <label class="select">
      <span class="row-label">{label}</span>
      <span class="select-box">
        <select
          value={String(value)}
          onChange={(event) => {
            const chosen = choices[event.currentTarget.selectedIndex];
            if (chosen) onChange(chosen.value);
          }}
        >
          {choices.map((choice) => (
            <option key={choice.value} value={String(choice.value)}>
              {choice.label}
            </option>
          ))}
        </select>
        <Icon name="chevron" />
      </span>
    </label>
  );
}

export function IconButton({
  icon,
  label,
  onClick,
  disabled = false,
  pressed,
  keys,
}: {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  /** As aria-keyshortcuts has them. */
  readonly keys?: string;
}) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={keys === undefined ? label : `${label} (${keys})`}
      aria-pressed={pressed}
      aria-keyshortcuts={keys}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** How much of something is done, 0 to 1. */
export function Bar({ label, share }: { readonly label: string; readonly share: number }) {
  return (
    <div
      class="bar"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(100 * share)}
    >
      <span style={{ transform: `scaleX(${share})` }} />
    </div>
  );
}

/** A sentence, and below it what is known besides. */
export function Explained({ text, details }: { readonly text: string; readonly details?: string }) {
  return (
    <>
      {text}
      {details !== undefined && <small class="hint details">{details}</small>}
    </>
  );
}
