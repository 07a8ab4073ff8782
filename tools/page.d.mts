/** Writes files.json into a folder that is to be served. */
export function list_folder(folder: string): void;
/** Bytes of script and style. */
export function build_page(out: string): Promise<{ readonly bytes: number }>;
