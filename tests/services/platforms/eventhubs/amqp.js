// Event Hubs' AMQP endpoint for tests: what azure-eventhub needs of it. SAS tokens put to $cbs are checked, and a link is refused to a hub
// for which none was; $management tells of hubs and partitions. Who starts it keeps the events, in the Kafka endpoint (eventhubs_amqp.py).
//
//   HUB, HUB/Partitions/N                        links that send; batches (message format 0x80013700) are taken apart
//   HUB/ConsumerGroups/GROUP/Partitions/N        links that receive, from where their filter says
//
// Across protocols events look as the service's documentation says: a key is the partition key, a header of Kafka's is a property of
// bytes, a property of AMQP's is a header in AMQP's own encoding.
//
// Usage: node amqp.js SETTINGS (JSON: port, cert, key, connectionString, hubs, partitions). Lines of JSON, bytes in base64:
//
//   out   {ready}; {send, hub, events: [{key, value, headers: [[name, value]], partition}]}
//   in    {sent, error}; {hub, partition, offset, time, key, value, headers} of each event that is there
//
// It ends with its standard input.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const readline = require("readline");
const types = require("rhea/lib/types.js");

// azure-eventhub takes the fields of what it is sent by their index, all of them, as the service sends them. rhea ends with the last one set.
const define = types.define_composite;
types.define_composite = (definition) => {
  const composite = define(definition);
  const described = composite.prototype.described;

  composite.prototype.described = function () {
    definition.fields.forEach(({ name, default_value: usual }, i) => {
      if (this.value[i] === undefined && usual !== undefined) this[name] = usual;
      else this.value[i] ??= null;
    });
    return described.call(this);
  };
  return composite;
};
const rhea = require("rhea");

const settings = JSON.parse(process.argv[2]);
const BATCH = 0x80013700;
const LONGEST = 1 << 20;
const LOGIN = Object.fromEntries(settings.connectionString.split(";").map((part) => [part.split("=", 1)[0], part.slice(part.indexOf("=") + 1)]));

const stored = Object.fromEntries(settings.hubs.map((hub) => [hub, Array.from({ length: settings.partitions }, () => [])]));
const links = new Set(); // that receive: {hub, partition, next, sender}
const sending = new Map(); // deliveries that are not yet accepted
let sends = 0;

function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

// ---- tokens ----

function tokenProblem(token, audience) {
  const fields = new URLSearchParams(token.replace(/^SharedAccessSignature /, ""));
  const [resource, expiry] = [fields.get("sr"), fields.get("se")];
  const want = crypto.createHmac("sha256", LOGIN.SharedAccessKey).update(`${encodeURIComponent(resource)}\n${expiry}`).digest("base64");

  if (!token.startsWith("SharedAccessSignature ") || fields.get("skn") !== LOGIN.SharedAccessKeyName || fields.get("sig") !== want)
    return "InvalidSignature: The token has an invalid signature.";
  if (Number(expiry) <= Date.now() / 1000) return "ExpiredToken: The token is expired.";
  return audience === resource ? null : "InvalidAudience: The token is for another resource.";
}

// "sb://NAMESPACE/HUB/…" → [HUB, …]
function pathOf(address) {
  return address.replace(/^(amqps?|sb):\/\/[^/]+\//, "").split("/");
}

function putToken(connection, message) {
  const { name, operation, type } = message.application_properties;
  const problem = operation !== "put-token" || type !== "servicebus.windows.net:sastoken" ? "Unsupported." : tokenProblem(message.body, name);

  if (problem === null) connection.hubs.add(pathOf(name)[0]);
  return [{ "status-code": problem === null ? 202 : 401, "status-description": problem ?? "Accepted" }, ""];
}

// ---- $management ----

function tell(connection, message) {
  const { operation, type, name, partition } = message.application_properties;
  const events = stored[name]?.[partition ?? 0];
  const problem = !connection.hubs.has(name) ? 401 : operation !== "READ" ? 400 : events === undefined ? 404 : 200;
  const head = { "status-code": problem, "status-description": problem === 200 ? "OK" : `${operation} ${name}` };
  const last = events?.[events.length - 1];

  if (problem !== 200) return [head, ""];
  if (type === "com.microsoft:eventhub")
    return [head, { name, type, created_at: types.wrap_timestamp(0), partition_count: types.wrap_int(settings.partitions),
                    partition_ids: types.wrap_array(stored[name].map((_, n) => `${n}`), 0xa1) }];
  return [head, { name, type, partition, begin_sequence_number: types.wrap_long(0), is_partition_empty: last === undefined,
                  last_enqueued_sequence_number: types.wrap_long(last ? last.offset : -1),
                  last_enqueued_offset: last ? `${last.offset}` : "-1", last_enqueued_time_utc: types.wrap_timestamp(last ? last.time : 0) }];
}

const NODES = { $cbs: putToken, $management: tell };

function answer(context, node) {
  const [application_properties, body] = NODES[node](context.connection, context.message);
  const to = context.connection.answers[node];

  context.delivery.accept();
  application_properties["status-code"] = types.wrap_int(application_properties["status-code"]);
  to.send({ correlation_id: context.message.message_id, application_properties, body });
}

// ---- sending ----

function encoded(value) {
  const writer = new types.Writer();

  writer.write(types.wrap(value));
  return writer.toBuffer().toString("base64");
}

// What stands for all events of a batch stands around it.
function eventOf(message, outer, partition) {
  const key = { ...outer?.message_annotations, ...message.message_annotations }["x-opt-partition-key"];
  const headers = Object.entries(message.application_properties ?? {}).map(([name, value]) => [name, encoded(value)]);

  return { key: key === undefined ? null : Buffer.from(key).toString("base64"), headers, partition: partition === undefined ? null : Number(partition),
           value: Buffer.concat([].concat(message.body.content)).toString("base64") };
}

function take(context) {
  const [hub, , partition] = pathOf(context.receiver.target.address);
  const outer = context.format === BATCH ? rhea.message.decode(context.message) : null;
  const messages = outer === null ? [context.message] : [].concat(outer.body.content).map((data) => rhea.message.decode(data));

  sending.set(++sends, context.delivery);
  say({ send: sends, hub, events: messages.map((message) => eventOf(message, outer, partition)) });
}

function sent(id, error) {
  const delivery = sending.get(id);

  sending.delete(id);
  if (error === null) delivery.accept();
  else delivery.reject({ condition: "amqp:internal-error", description: error, info: {} });
}

// ---- receiving ----

function messageOf({ offset, time, key, value, headers }) {
  const message_annotations = { "x-opt-sequence-number": types.wrap_long(offset), "x-opt-offset": `${offset}`,
                                "x-opt-enqueued-time": types.wrap_timestamp(time) };

  if (key !== null) message_annotations["x-opt-partition-key"] = Buffer.from(key, "base64").toString();
  return { message_annotations, body: rhea.message.data_section(Buffer.from(value ?? "", "base64")),
           application_properties: Object.fromEntries(headers.map(([name, bytes]) => [name, types.wrap_binary(Buffer.from(bytes, "base64"))])) };
}

function pump(link) {
  const events = stored[link.hub][link.partition];

  while (link.next < events.length && link.sender.sendable()) link.sender.send(messageOf(events[link.next++]));
}

// "amqp.annotation.x-opt-offset > '@latest'", … >= '7'
function firstOf(events, filter) {
  const [, what, operator, text] = /^amqp\.annotation\.x-opt-([a-z-]+) (>=?) '([^']*)'$/.exec(filter ?? "amqp.annotation.x-opt-offset > '-1'");
  const field = { offset: "offset", "sequence-number": "offset", "enqueued-time": "time" }[what];
  const found = text === "@latest" ? -1 : events.findIndex((each) => each[field] > Number(text) || (operator === ">=" && each[field] === Number(text)));

  return found < 0 ? events.length : found;
}

// ---- links ----

function allowed(context, link, address) {
  const [hub, ...rest] = pathOf(address ?? "");
  const partition = rest[rest.indexOf("Partitions") + 1];
  const problem = !context.connection.hubs.has(hub) ? ["amqp:unauthorized-access", "no token for it"]
    : stored[hub] === undefined || (rest.length > 0 && stored[hub][partition] === undefined) ? ["amqp:not-found", "no such entity"] : null;

  if (problem !== null) link.close({ condition: problem[0], description: `${address}: ${problem[1]}`, info: {} });
  return problem === null;
}

const container = rhea.create_container();
container.sasl_server_mechanisms.enable_anonymous();
container.on("connection_open", ({ connection }) => Object.assign(connection, { hubs: new Set(), answers: {} }));
container.on("receiver_open", (context) => {
  const { receiver } = context;

  receiver.set_target(receiver.remote.attach.target);
  receiver.set_source(receiver.remote.attach.source);
  if (NODES[receiver.target.address] === undefined) allowed(context, receiver, receiver.target.address);
});
container.on("sender_open", (context) => {
  const { sender } = context;
  const address = sender.remote.attach.source.address;

  sender.set_source(sender.remote.attach.source);
  sender.set_target(sender.remote.attach.target);
  if (NODES[address] !== undefined) {
    context.connection.answers[address] = sender;
  } else if (allowed(context, sender, address)) {
    const [hub, , , , partition] = pathOf(address);
    const filter = sender.remote.attach.source.filter?.["apache.org:selector-filter:string"];

    sender.mine = { hub, partition, sender, next: firstOf(stored[hub][partition], filter?.value ?? filter) };
    links.add(sender.mine);
    pump(sender.mine);
  }
});
container.on("sendable", ({ sender }) => sender.mine && pump(sender.mine));
container.on("sender_close", ({ sender }) => links.delete(sender.mine));
container.on("disconnected", () => links.forEach((link) => link.sender.is_closed() && links.delete(link)));
container.on("message", (context) => {
  const node = context.receiver.target.address;

  if (NODES[node] !== undefined) answer(context, node);
  else take(context);
});
for (const what of ["connection_error", "session_error", "error", "sender_error", "receiver_error"])
  container.on(what, (context) => console.error(what, context.error ?? context));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { sent: id, error, ...event } = JSON.parse(line);

  if (id !== undefined) {
    sent(id, error);
    return;
  }
  stored[event.hub][event.partition].push(event);
  links.forEach((link) => link.hub === event.hub && Number(link.partition) === event.partition && pump(link));
}).on("close", () => process.exit(0));
container.listen({ port: settings.port, host: "127.0.0.1", transport: "tls", key: fs.readFileSync(settings.key), cert: fs.readFileSync(settings.cert),
                   idle_time_out: 240000, max_frame_size: 1 << 16, channel_max: 4999, sender_options: { snd_settle_mode: 1 },
                   receiver_options: { autoaccept: false, max_message_size: LONGEST } })
  .on("listening", () => say({ ready: true }));
