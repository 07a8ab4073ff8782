import { writeFileSync } from 'node:fs';
import { tokenizer_json } from './words.ts';

/** Writes nano's tokenizer.json to the file that is named. */
writeFileSync(process.argv[2] as string, `${JSON.stringify(tokenizer_json(), null, 1)}\n`);
