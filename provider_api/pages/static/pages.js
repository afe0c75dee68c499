// The pages' only script; all can be read without it. Texts of others are only ever put in as text.

const SILENCE_MS = 20_000; // without a byte of the stream, the page asks by itself
const ASK_MS = 4_000;
const HELD_MS = 30_000;

// --- wallets (EIP-6963: they announce themselves) --------------------------------------------------------------------

const wallets = new Map();
const actions = { "sign-in": signIn, decide };

addEventListener("eip6963:announceProvider", ({ detail }) => {
  if (!detail?.info?.uuid || !detail.provider || wallets.has(detail.info.uuid)) return;
  wallets.set(detail.info.uuid, detail);
  for (const place of document.querySelectorAll("[data-wallets]")) offer(place, detail);
});
dispatchEvent(new Event("eip6963:requestProvider"));
for (const none of document.querySelectorAll("[data-none]")) {
  none.hidden = wallets.size > 0;
  none.textContent = "No wallet has announced itself in this browser.";
}

function offer(place, { info, provider }) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  if (/^data:image\//.test(info.icon ?? "")) {
    button.append(Object.assign(new Image(22, 22), { src: info.icon, alt: "" }));
  }
  const verb = place.dataset.wallets === "decide" ? "Sign with" : "Sign in with";
  button.append(`${verb} ${String(info.name).slice(0, 40)}`);
  button.addEventListener("click", async () => {
    const said = place.parentElement.querySelector("[data-said]");
    said.hidden = true;
    button.disabled = true;
    try {
      await actions[place.dataset.wallets](provider, place);
    } catch (trouble) {
      const refused = trouble?.code === 4001 && "The wallet was told not to sign. Nothing was done.";
      said.textContent = refused || String(trouble?.message ?? trouble).slice(0, 500);
      said.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
  place.querySelector("[data-none]")?.setAttribute("hidden", "");
  place.append(button);
}

async function answered(url, method, body) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), redirect: "error" });
  const text = await answer.text();
  if (!answer.ok) throw new Error(sentence(text) || `The service answered ${answer.status}.`);
  return JSON.parse(text);
}

function sentence(text) {
  if (text.startsWith("{")) return JSON.parse(text).error;
  return new DOMParser().parseFromString(text, "text/html").querySelector("[role=alert]")?.textContent;
}

function hexOf(text) {
  return "0x" + [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function signIn(provider, place) {
  const root = place.dataset.root;
  const [address] = await provider.request({ method: "eth_requestAccounts" });
  const chainId = Number(await provider.request({ method: "eth_chainId" }));
  const { text } = await answered(`${root}sign-in/text`, "POST", { address, chainId: String(chainId) });
  const signature = await provider.request({ method: "personal_sign", params: [hexOf(text), address] });
  await answered(`${root}sign-in`, "POST", { text, signature });
  location.reload();
}

// --- an owner's decision: the service says the bytes, the wallet signs them, the API gets the envelope -----------------

async function decide(provider, place) {
  const form = place.closest("form");
  if (!form.reportValidity()) return;
  const { root, job } = form.dataset;
  const asked = await answered(`${job}/statement?${new URLSearchParams(new FormData(form))}`, "GET");
  const accounts = await provider.request({ method: "eth_requestAccounts" });
  const account = accounts.find((each) => each.toLowerCase() === asked.account.toLowerCase());
  if (!account) throw new Error(`Choose the account ${asked.account} in the wallet: it is the one that is signed in.`);
  const signature = await provider.request({ method: "personal_sign", params: [asked.sign, account] });
  const raw = signature.slice(2).match(/../g).map((byte) => String.fromCharCode(parseInt(byte, 16))).join("");
  const { payloadType, payload } = asked;
  const envelope = { payloadType, payload, signatures: [{ keyid: asked.account, sig: btoa(raw) }] };
  await answered(`${root}api/v1/releases/${job}`, "PUT", envelope);
  location.reload();
}

// --- a job's page, kept up to date -----------------------------------------------------------------------------------

const live = document.querySelector("[data-live]");
const word = document.querySelector("[data-live-word]");
let heard = 0; // when the last byte of the stream came
let log = ""; // what it has told of the log
let last = ""; // id of its last event
let [pending, asked] = [false, 0];

if (live) live.querySelector(".log").scrollTop = 1e9;
if (live && ended() !== "yes") {
  listen();
  setInterval(() => {
    if (ended() === "held" && Date.now() - asked > HELD_MS) ask();
    const silent = Date.now() - heard > SILENCE_MS;
    if (ended() === "no" && silent) ask("No live connection. This page asks every few seconds.");
  }, ASK_MS);
}

// no, yes, or held: results wait for owners of the data, which may take days, and the stream has ended.
function ended() {
  return live.firstElementChild.dataset.ended;
}

// Bytes count: a silent job's stream sends comments, of which an EventSource would tell nothing.
async function listen() {
  while (ended() === "no") {
    const silence = new AbortController();
    let timer;
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const answer = await fetch(live.dataset.events, { headers, signal: silence.signal });
      if (answer.status !== 200) throw new Error(answer.status);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", piece; (piece = await reader.read()), !piece.done; ) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        heard = Date.now();
        say("Live");
        const blocks = (rest + piece.value).split("\n\n");
        rest = blocks.pop();
        blocks.forEach(happened);
      }
    } catch {
      heard = 0;
    }
    clearTimeout(timer);
    await new Promise((go) => setTimeout(go, ASK_MS));
  }
}

function happened(block) {
  const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
  last = fields.id ?? last;
  if (fields.event === "log") {
    const { offset, text } = JSON.parse(fields.data);
    log = ((offset === 0 ? "" : log) + text).slice(-60_000);
    showLog();
  } else if (fields.event) ask();
}

function say(text) {
  word.hidden = text === "";
  if (word.textContent !== text) word.textContent = text;
}

// Many events at once are one question. `why`: what to say of it, where the stream does not tell anything.
async function ask(why = "") {
  if (pending) return;
  pending = true;
  if (!why) await new Promise((go) => setTimeout(go, 250));
  pending = false;
  asked = Date.now();
  try {
    const answer = await fetch(live.dataset.part, { headers: { Accept: "text/html" }, redirect: "error" });
    if (answer.status === 401) return say("You are signed out. Reload the page to sign in.");
    if (answer.status === 404) return say("This job is gone.");
    if (!answer.ok) throw new Error(answer.status);
    if (why) say(why);
    show(await answer.text());
    if (ended() !== "no") say(ended() === "held" ? "This page asks twice a minute." : "");
  } catch {
    say("The service does not answer. This page keeps trying.");
  }
}

function show(html) {
  const next = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const open = live.querySelector("#delete").open;
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  following(() => live.replaceChildren(next));
  live.querySelector("#delete").open = open;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (log && ended() === "no") showLog();
}

function showLog() {
  live.querySelector("#log").textContent = "Log of the algorithm"; // the only one that streams
  following(() => (live.querySelector(".log").textContent = log));
}

// Whoever reads further up in a log stays there.
function following(change) {
  const { scrollTop, scrollHeight, clientHeight } = live.querySelector(".log");
  change();
  const place = live.querySelector(".log");
  place.scrollTop = scrollHeight - scrollTop - clientHeight < 40 ? place.scrollHeight : scrollTop;
}
