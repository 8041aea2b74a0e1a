// Turns a module into a component: build.mjs WIT WORLD SOURCE OUTPUT. Runs beside
// the node_modules that package.json asks for.

import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [witPath, worldName, sourcePath, output] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName,
  // Without fetch, which would make every plugin import wasi:http.
  disableFeatures: ["http", "fetch-event"],
});
await writeFile(output, component);
