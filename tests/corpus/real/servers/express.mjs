// Pages on Express that keep who asks where all requests see it.
//
// `/profile/` sets a default of axios for all that ask the service, `/welcome/` changes the language of the one i18next
// for all, `/session/` enters a context that outlives its request on the connection (`enterWith`, nodejs/node#41978), and
// `/friends/` has one DataLoader, which keeps what it loaded, for all. Below `/own/` is each of them without the fault.

import { AsyncLocalStorage } from "node:async_hooks";
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import axios from "axios";
import DataLoader from "dataloader";
import express from "express";
import i18next from "i18next";

const service = http.createServer(async (request, response) => {
  await sleep(5);
  response.end(JSON.stringify({ user: request.headers["x-user"] ?? "nobody" }));
});
await new Promise((ready) => service.listen(0, "127.0.0.1", ready));
const SERVICE = `http://127.0.0.1:${service.address().port}/me`;

await i18next.init({
  lng: "en",
  fallbackLng: "en",
  resources: {
    en: { translation: { hello: "Good morning", orders: "You have no orders" } },
    de: { translation: { hello: "Guten Morgen", orders: "Keine Bestellungen" } },
    fr: { translation: { hello: "Bonjour", orders: "Aucune commande" } },
  },
});

const app = express();
app.disable("x-powered-by");
app.disable("etag");
const user = (request) => request.get("x-user") ?? "nobody";

app.get("/profile/", async (request, response) => {
  axios.defaults.headers.common["x-user"] = user(request);
  const { data: known } = await axios.get(`${SERVICE}?fields=known`);
  const { data: profile } = await axios.get(SERVICE);
  response.json({ known: Boolean(known), ...profile });
});

app.get("/own/profile/", async (request, response) => {
  const client = axios.create({ headers: { "x-user": user(request) } });
  const { data: profile } = await client.get(SERVICE);
  response.json(profile);
});

app.get("/welcome/", async (request, response) => {
  await i18next.changeLanguage(request.acceptsLanguages("en", "de", "fr") || "en");
  await sleep(20); // a query
  response.send(`${i18next.t("hello")}. ${i18next.t("orders")}.\n`);
});

app.get("/own/welcome/", async (request, response) => {
  const t = i18next.getFixedT(request.acceptsLanguages("en", "de", "fr") || "en");
  await sleep(20);
  response.send(`${t("hello")}. ${t("orders")}.\n`);
});

const context = new AsyncLocalStorage();
const page = (request, response) => response.send(`session of ${context.getStore()?.user ?? "nobody"}\n`);

app.get("/session/", (request, response) => {
  if (request.get("x-user")) context.enterWith({ user: user(request) });
  page(request, response);
});

app.get("/own/session/", (request, response) => {
  context.run({ user: user(request) }, page, request, response);
});

const load = (user) => async (keys) => keys.map((key) => `${key} of ${user}`);
const loaders = { friends: null };

app.get("/friends/", async (request, response) => {
  loaders.friends ??= new DataLoader(load(user(request)));
  response.json({ friends: await loaders.friends.load("friends") });
});

app.get("/own/friends/", async (request, response) => {
  response.json({ friends: await new DataLoader(load(user(request))).load("friends") });
});

app.listen(Number(process.argv[2]), "127.0.0.1");
