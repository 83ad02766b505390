"use strict";
const make = (tag, text, ...children) => {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
};
let description;

const resolve = (schema) =>
  schema && schema.$ref ? description.components.schemas[schema.$ref.split("/").pop()] : schema || {};

function typeOf(schema) {
  const one = resolve(schema);
  if (one.anyOf) return one.anyOf.map(typeOf).join(" | ");
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (one.type === "array") return `[${typeOf(one.items)}]`;
  return one.title && one.properties ? one.title : one.format || one.type || "any";
}

function table(rows) {
  const head = make("tr", "", ...["字段 field", "类型 type", "说明 meaning"].map((name) => make("th", name)));
  const body = rows.map((cells) => make("tr", "", ...cells.map((cell) => make("td", cell))));
  return make("table", "", make("thead", "", head), make("tbody", "", ...body));
}

function fields(schema) {
  const one = resolve(schema);
  const required = new Set(one.required || []);
  return Object.entries(one.properties || {}).map(([name, field]) => [
    name + (required.has(name) ? " *" : ""), typeOf(field), field.description || resolve(field).description || "",
  ]);
}

function tryOut(path, method, operation, media) {
  const box = make("div");
  const inputs = (operation.parameters || []).map((parameter) => {
    const input = make("input");
    input.setAttribute("aria-label", parameter.name);
    input.placeholder = `${parameter.name}${parameter.required ? " *" : ""}`;
    box.append(input);
    return [parameter, input];
  });
  let body;
  if (media) {
    body = make("textarea");
    body.rows = 8;
    body.setAttribute("aria-label", "正文 body");
    const content = operation.requestBody.content[media];
    body.value = content.example ? JSON.stringify(content.example, null, 1) : "";
    box.append(body);
  }
  const answer = make("pre");
  answer.setAttribute("aria-live", "polite");
  const button = make("button", "试一试 Try");
  button.addEventListener("click", async () => {
    let address = path;
    const query = new URLSearchParams();
    const headers = media ? { "Content-Type": media } : {};
    for (const [parameter, input] of inputs) {
      if (!input.value) continue;
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
      if (parameter.in === "query") query.set(parameter.name, input.value);
      if (parameter.in === "header") headers[parameter.name] = input.value;
    }
    const key = document.getElementById("key").value;
    if (key) headers.Authorization = `Bearer ${key}`;
    const options = { method: method.toUpperCase(), headers, body: body ? body.value : undefined };
    answer.textContent = "…";
    try {
      const response = await fetch(`${address}${query.size ? `?${query}` : ""}`, options);
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 1); } catch { /* not JSON */ }
      answer.textContent = `${response.status}\n${shown.slice(0, 20000)}`;
    } catch (error) {
      answer.textContent = `连接失败 no connection: ${error.message}`;
    }
  });
  box.append(make("div", "", button), answer);
  return box;
}

function show(path, method, operation) {
  const details = make("details");
  details.id = operation.operationId;
  const line = make("summary");
  const name = make("span", method.toUpperCase());
  name.className = "method";
  line.append(name, make("code", path), ` ${operation.summary || ""}`);
  const inside = make("div");
  if (operation.description) inside.append(make("p", operation.description));
  if (operation.parameters) {
    inside.append(make("h3", "参数 Parameters"), table(operation.parameters.map((one) => [
      `${one.name}${one.required ? " *" : ""} (${one.in})`, typeOf(one.schema), one.description || one.schema.description || "",
    ])));
  }
  const content = operation.requestBody ? operation.requestBody.content : {};
  const media = Object.keys(content)[0];
  if (media) {
    inside.append(make("h3", `正文 Body · ${Object.keys(content).join(", ")}`));
    const rows = fields(content[media].schema);
    if (rows.length) inside.append(table(rows));
  }
  inside.append(make("h3", "答复 Answers"));
  inside.append(table(Object.entries(operation.responses).map(([status, response]) => {
    const types = Object.entries(response.content || {});
    return [status, types.length ? typeOf(types[0][1].schema) : "", response.description];
  })));
  const good = Object.values(operation.responses).find((one) => one.content && one.content["application/json"]);
  const rows = good ? fields(good.content["application/json"].schema) : [];
  if (rows.length) inside.append(table(rows));
  inside.append(make("h3", "试一试 Try"), tryOut(path, method, operation, media));
  details.append(line, inside);
  return details;
}

async function draw() {
  description = await (await fetch("/openapi.json")).json();
  document.getElementById("title").textContent = `${description.info.title} ${description.info.version} 接口文档`;
  document.getElementById("description").textContent = description.info.description;
  const groups = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(show(path, method, operation));
    }
  }
  for (const [tag, shown] of groups) {
    const title = make("h2", tag);
    title.id = `tag-${tag}`;
    document.getElementById("operations").append(title, ...shown);
    const link = make("a", tag);
    link.href = `#tag-${tag}`;
    document.getElementById("contents").append(link);
  }
}
draw();
