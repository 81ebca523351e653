// Creates a container in Azurite: node create_container.mjs PORT CONTAINER
// Signed by hand with Azurite's published development key, so that no client library has to be installed.
import { createHmac } from "node:crypto";
import { request } from "node:http";

const [port, container] = process.argv.slice(2);
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-08-06", "content-length": "0" };
const signed = [
  "PUT", ...Array(11).fill(""),
  `x-ms-date:${headers["x-ms-date"]}`,
  `x-ms-version:${headers["x-ms-version"]}`,
  `/${account}/${account}/${container}`,
  "restype:container",
].join("\n");
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(signed, "utf8").digest("base64");
headers.authorization = `SharedKey ${account}:${signature}`;
request({ host: "127.0.0.1", port, method: "PUT", path: `/${account}/${container}?restype=container`, headers }, (answer) => {
  let text = "";
  answer.on("data", (part) => (text += part));
  answer.on("end", () => {
    if (answer.statusCode !== 201) {
      console.error(`${answer.statusCode} ${text}`);
      process.exitCode = 1;
    }
  });
}).on("error", (e) => {
  console.error(e.message);
  process.exitCode = 1;
}).end();
