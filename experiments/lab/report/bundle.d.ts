/** The file with all it imports, bundled for a browser: see tools/inline_bundle.mjs. */
declare module '*?bundle' {
  const text: string;
  export default text;
}
