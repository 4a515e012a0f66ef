/** `W/"abc"` → `abc`, as huggingface_hub names blobs. */
export const plainEtag = (etag: string | undefined): string | undefined =>
  etag?.replace(/^W\//, '').replace(/^"|"$/g, '');
