/** Our own line icons, 20 × 20, in the colour of the text around them. */

const PATHS = {
  open: 'M3 6.5A1.5 1.5 0 0 1 4.5 5h3.2l1.6 2h6.2A1.5 1.5 0 0 1 17 8.5v6A1.5 1.5 0 0 1 15.5 16h-11A1.5 1.5 0 0 1 3 14.5z',
  photo:
    'M4.5 3.5h11a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1zM3.5 13l3.7-3.7a1 1 0 0 1 1.4 0L13 13.7l1.3-1.2 2.2 2M13 8a1 1 0 1 0 0-2 1 1 0 0 0 0 2z',
  save: 'M10 3v9m0 0 3.5-3.5M10 12 6.5 8.5M3.5 13.5v2a1 1 0 0 0 1 1h11a1 1 0 0 0 1-1v-2',
  info: 'M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9.2v4.3M10 6.4v.2',
  dice: 'M5 3.5h10A1.5 1.5 0 0 1 16.5 5v10a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 15V5A1.5 1.5 0 0 1 5 3.5zM7.2 7.2v.1M12.8 7.2v.1M10 10v.1M7.2 12.8v.1M12.8 12.8v.1',
  close: 'm5 5 10 10M15 5 5 15',
  plus: 'M10 4v12M4 10h12',
  minus: 'M4 10h12',
  fit: 'M3.5 7.5v-4h4M12.5 3.5h4v4M16.5 12.5v4h-4M7.5 16.5h-4v-4',
  single: 'M4.5 3.5h11a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1z',
  slider: 'M10 2.5v15M6.5 7.5 4 10l2.5 2.5M13.5 7.5 16 10l-2.5 2.5',
  lens: 'M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4',
  side: 'M3.5 4.5h5v11h-5zM11.5 4.5h5v11h-5z',
  part: 'M3.5 6V4.5a1 1 0 0 1 1-1H6M9 3.5h2M14 3.5h1.5a1 1 0 0 1 1 1V6M16.5 9v2M16.5 14v1.5a1 1 0 0 1-1 1H14M11 16.5H9M6 16.5H4.5a1 1 0 0 1-1-1V14M3.5 11V9',
  undo: 'M7.5 4 4 7.5 7.5 11M4 7.5h7.5a4.5 4.5 0 0 1 0 9H8',
  chevron: 'm6 8 4 4 4-4',
  check: 'm4.5 10.5 3.5 3.5 7.5-8',
  copy: 'M7.5 7.5h8a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-8a1 1 0 0 1-1-1v-8zM13.5 7.5v-3a1 1 0 0 0-1-1h-8a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h2',
  share: 'M10 12.5v-9m0 0L6.8 6.7M10 3.5l3.2 3.2M6 9H4.5v7.5h11V9H14',
  warning: 'M10 3.5 17.2 16H2.8zM10 8.5v3.5M10 14v.1',
  bolt: 'M11 2.5 4.5 11.5H9.5L9 17.5 15.5 8.5H10.5z',
  offline:
    'M3 3l14 14M6.5 15.5h8a3 3 0 0 0 1.2-5.7M12.8 7a5 5 0 0 0-4-1.2M5.7 8.2a4 4 0 0 0 .8 7.3',
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);

/** The page's mark: the icon without its tile. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 512 512" aria-hidden="true">
    <rect width="512" height="512" rx="116" fill="currentColor" />
    <g fill="#fff">
      <path d="M256 120h-64v48h-48v48H96v80h48v48h48v48h64z" fill-opacity=".6" />
      <path d="M256 116a140 140 0 0 1 0 280z" />
      <rect x="247" y="56" width="18" height="400" rx="9" />
    </g>
  </svg>
);
