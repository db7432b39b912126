// Signs requests by aws4 and by the signer of the AWS SDK for JavaScript, and
// prints what is answered: a line of JSON for each.
import { createRequire } from "node:module";
import https from "node:https";
import fs from "node:fs";

const [base, roots, key, secret, modules] = process.argv.slice(2);
const require = createRequire(modules + "/");
const aws4 = require("aws4");
const { SignatureV4 } = require("@smithy/signature-v4");
const { Sha256 } = require("@aws-crypto/sha256-js");
const ca = fs.readFileSync(roots);
const url = new URL(base);

const send = (options) => new Promise((resolve) => {
  const body = options.body ?? "";
  const request = https.request({ host: "127.0.0.1", port: url.port, servername: "localhost", ca, method: options.method, path: options.path, headers: options.headers }, (answer) => {
    let text = "";
    answer.on("data", (part) => { text += part; });
    answer.on("end", () => resolve({ status: answer.statusCode, message: answer.statusCode === 200 ? "" : text }));
  });
  request.on("error", (error) => resolve({ status: 0, message: String(error) }));
  request.end(body);
});

const byAWS4 = (method, path, body, signQuery) => {
  const options = { host: url.host, method, path, service: "execute-api", region: "eu-central-1", headers: { "x-custom": "v" }, body, signQuery };
  aws4.sign(options, { accessKeyId: key, secretAccessKey: secret });
  return send({ ...options, headers: { ...options.headers, Host: url.host } });
};

const bySmithy = async (method, path, body, presign) => {
  const signer = new SignatureV4({ service: "execute-api", region: "eu-central-1", credentials: { accessKeyId: key, secretAccessKey: secret }, sha256: Sha256 });
  const [pathname, text] = path.split("?");
  const query = {};
  for (const [name, value] of new URLSearchParams(text ?? "")) {
    query[name] = name in query ? [].concat(query[name], value) : value;
  }
  const request = { method, protocol: "https:", hostname: "localhost", port: Number(url.port), path: pathname, query, headers: { host: url.host, "x-custom": "v" }, body };
  const signed = presign ? await signer.presign(request, { expiresIn: 60 }) : await signer.sign(request);
  const pairs = Object.entries(signed.query).flatMap(([name, value]) => [].concat(value).map((v) => encode(name) + "=" + encode(v)));
  return send({ method, path: signed.path + (pairs.length ? "?" + pairs.join("&") : ""), headers: signed.headers, body });
};

const encode = (s) => encodeURIComponent(s).replace(/[!'()*]/g, (c) => "%" + c.charCodeAt(0).toString(16).toUpperCase());

const paths = ["/", "/orders/42", "/orders/", "/a%20b/c", "/caf%C3%A9", "/~a-b_c.d", "/p?b=2&a=1", "/p?a=2&a=1", "/p?a=%20&c=%2B", "/p?x=%C3%A9", "/p?A=1&a=2"];
for (const path of paths) {
  for (const [method, body] of [["GET", undefined], ["POST", '{"a":1}']]) {
    for (const [name, ask] of [["aws4", byAWS4], ["smithy", bySmithy]]) {
      for (const query of [false, true]) {
        const answer = await ask(method, path, body, query);
        console.log(JSON.stringify({ what: `${name} ${query ? "query" : "header"} ${method} ${path}`, ...answer }));
      }
    }
  }
}
