// On Message: keeps the history of power and of state of charge.
//
// In:  messages of recbms-zmq;
//      msg.control = 'offline'  nothing is known any more;
//                    'tick'     every second; msg.payload is the time, ms since 1970.
// Out: {packs: [{id, name, points}]} for the template *History*. A point is [from, to, power, soc]:
//      two times in s since 1970, the mean power of the step in W, and the state of charge at its end
//      in %, each null if it is not known. The last point is the step that has not ended yet.
//
// A chart needs as many points as its pixels can show: HISTORY_HOURS, from the tab's environment,
// in 720 steps. While there are few points, they are sent more often, so that the page shows soon
// that something comes.

const STEPS = 720;
const FEW = 30;
const SOON_MS = 5000;

const lengthMs = Number(env.get('HISTORY_HOURS')) * 3600e3;
const stepMs = Math.max(lengthMs / STEPS, 1);
const packs = context.get('packs'); // topic without the key → {name, live, power, soc, sum, count}
const points = flow.get('recbms_points'); // topic without the key → its points

function noteValues() {
    const id = msg.topic.slice(0, -msg.key.length - 1);
    const values = msg.kind === 'snapshot' ? msg.payload : { [msg.key]: msg.payload };
    const pack = packs[id] ??= { live: false, power: null, soc: null, sum: 0, count: 0 };
    points[id] ??= [];
    pack.name = msg.device_name;
    if (msg.kind === 'availability') {
        pack.live = msg.payload === 'online';
        if (!pack.live) {
            forget(pack);
        }
    } else if (msg.kind === 'reading' || msg.kind === 'snapshot') {
        pack.power = values.power === undefined ? pack.power : values.power;
        pack.soc = values.soc === undefined ? pack.soc : values.soc;
    }
}

/** After an offline every reading is sent again: until then it is not known. */
function forget(pack) {
    Object.assign(pack, { live: false, power: null, soc: null });
}

function measure(pack) {
    if (pack.live && typeof pack.power === 'number') {
        pack.sum += pack.power;
        pack.count += 1;
    }
}

function seconds(ms) {
    return Math.round(ms / 1000);
}

function point(pack, now) {
    const mean = pack.count ? Math.round(pack.sum / pack.count * 10) / 10 : null;
    return [seconds(context.get('began')), seconds(now), mean, pack.live ? pack.soc : null];
}

function endStep(now) {
    for (const [id, pack] of Object.entries(packs)) {
        const first = points[id].findIndex(([, to]) => to > seconds(now - lengthMs));
        points[id] = [...(first < 0 ? [] : points[id].slice(first)), point(pack, now)];
        Object.assign(pack, { sum: 0, count: 0 });
    }
    context.set('began', now);
}

/** What a pack's line is called. Two services may both call one "REC BMS". */
function nameOf(id) {
    const { name } = packs[id];
    const same = Object.values(packs).filter((other) => other.name === name).length > 1;
    return same ? `${name} (${id})` : name;
}

function tick() {
    const now = msg.payload;
    if (context.get('began') === null) {
        context.set('began', now);
    }
    Object.values(packs).forEach(measure);
    const isOver = now - context.get('began') >= stepMs;
    if (isOver) {
        endStep(now);
    }
    const ids = Object.keys(packs);
    const isSoon = now - context.get('shown') >= SOON_MS && ids.some((id) => points[id].length < FEW);
    // After a deploy the page has nothing, while the points of before are still there.
    const isNew = ids.length !== context.get('lines');
    if (!ids.length || !(isOver || isSoon || isNew)) {
        return null;
    }
    context.set('shown', now);
    context.set('lines', ids.length);
    const shown = Object.keys(packs).sort().map((id) => ({
        id,
        name: nameOf(id),
        points: isOver ? points[id] : [...points[id], point(packs[id], now)],
    }));
    return { payload: { packs: shown } };
}

if (msg.control === 'tick') {
    return tick();
}
if (msg.control === 'offline') {
    Object.values(packs).forEach(forget);
} else {
    noteValues();
}
return null;
