// Reads a WARC file with warcio.js and prints one JSON line per record: where
// it lies, what it is, and the SHA-1 of its body, raw (as stored) and decoded
// (transfer and content codings removed).
//
//   node check.mjs FILE.warc.gz
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { WARCParser } from "warcio";

const sha1 = (bytes) => createHash("sha1").update(bytes).digest("hex");

const lines = [];
for (const decode of [false, true]) {
  const parser = new WARCParser(createReadStream(process.argv[2]));
  let n = 0;
  for await (const record of parser) {
    const body = await record.readFully(decode);
    if (decode) {
      lines[n++].decoded = sha1(body);
      continue;
    }
    lines.push({
      id: record.warcHeader("WARC-Record-ID"),
      type: record.warcType,
      uri: record.warcTargetURI ?? "",
      status: record.httpHeaders?.statusCode ?? 0,
      offset: parser.offset,
      length: parser.recordLength,
      raw: sha1(body),
    });
  }
}
for (const line of lines) {
  console.log(JSON.stringify(line));
}
