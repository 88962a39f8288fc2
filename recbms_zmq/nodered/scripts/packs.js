// On Message: remembers the state of every pack, and makes of it what the page shows, in words.
//
// In:  messages of recbms-zmq;
//      msg.control = 'offline'  nothing is known any more: the service has ended or is silent;
//                    'tick'     every second; msg.payload is the time, ms since 1970.
// Out: at a tick, if something has changed, and else every ten seconds: a page that receives nothing
//      by then shows that the connection is lost:
//      1. {packs: […], note}: charge, power, alarms; for the template *Battery*;
//      2. the same with the cells and temperatures; for the template *Cells*.
//
// What is not known is null here and a dash on the page. While a pack is offline its last values
// stay, under live: false: the templates show them as what they are.

const HEARTBEAT_MS = 10000;
const MAX_ALARMS = 5; // in the list of the last ones
const SAME_WITHIN_MS = 3600e3; // as in the monitor
const MAX_CELLS = 16 * 32; // as many as a frame can have
const TILES = [
    'voltage', 'current', 'cell_voltage_delta', 'temperature_max',
    'capacity_remaining', 'soh', 'energy_charged', 'energy_discharged',
];

const packs = context.get('packs'); // topic without the key → pack
const { sensors, alarms, usual } = context.get('tables');

// ---- What comes

const receive = {
    reading(pack) {
        pack.values[msg.key] = msg.payload;
        pack.updated = Date.parse(msg.ts);
    },
    snapshot(pack) {
        pack.values = msg.payload;
        pack.updated = Date.parse(msg.ts);
    },
    availability(pack) {
        if (msg.payload === 'online' && pack.live === false) {
            pack.values = {}; // every reading is sent again; others are gone
        }
        pack.live = msg.payload === 'online';
        pack.reason = msg.reason;
    },
    device(pack) {
        pack.info = msg.payload;
    },
    event(pack) {
        const { events } = pack;
        const { event } = msg.payload;
        const at = Date.parse(msg.ts);
        const index = events.findIndex((each) => isSameAlarm(each, msg.payload));
        const before = events[index];
        // A program that is started again reports an alarm again that is still there.
        if (before?.event === event) {
            return;
        }
        // An alarm that comes and goes has one row, and does not push the others out.
        const isOver = event === 'alarm_cleared';
        const isSameRow = before !== undefined && (isOver || at - before.at <= SAME_WITHIN_MS);
        const count = isSameRow ? (before.count ?? 1) + (isOver ? 0 : 1) : 1;
        if (isSameRow) {
            events.splice(index, 1);
        }
        events.unshift({ at, ...msg.payload, count });
        events.length = Math.min(events.length, MAX_ALARMS);
    },
};

function isSameAlarm(one, other) {
    return ['number', 'unit', 'cell'].every((word) => one[word] === other[word]);
}

function updatePack() {
    const id = msg.topic.slice(0, -msg.key.length - 1);
    const pack = packs[id] ??= { id, live: null, reason: '', values: {}, updated: null };
    pack.events = flow.get('recbms_events')[id] ??= [];
    pack.name = msg.device_name;
    if (pack.run !== msg.run) {
        pack.run = msg.run;
        pack.values = {};
    }
    receive[msg.kind]?.(pack);
    context.set('note', '');
}

/* end_of_program.js */

function whyGone() {
    if (msg.kind) {
        return 'recbms-zmq sends nothing'; // a trigger node repeats the message that started it
    }
    const { code, signal } = endOfProgram(msg.payload);
    return code === -2
        ? "the command was not found: set PROGRAM in the tab's environment to its path"
        : `recbms-zmq has ended (${code ?? signal}): see the debug sidebar in Node-RED`;
}

function goOffline() {
    const reason = whyGone();
    Object.values(packs).forEach((pack) => Object.assign(pack, { live: false, reason }));
    context.set('note', reason);
}

// ---- What is shown

const isNumber = (value) => typeof value === 'number';

function text(key, value, signed = false) {
    if (!isNumber(value)) {
        return null;
    }
    const sign = signed && value > 0 ? '+' : '';
    return sign + value.toFixed(sensors[key].decimals).replace('-', '\u2212');
}

function tile(pack, key) {
    const { name, unit } = sensors[key];
    return { key, name, unit, value: text(key, pack.values[key], key === 'current') };
}

/** In W, and above 1000 W in kW, which takes no more room. */
function power({ power: value }) {
    if (!isNumber(value) || Math.abs(value) < 1000) {
        return { power_text: text('power', value, true), power_unit: 'W' };
    }
    const sign = value > 0 ? '+' : '\u2212';
    return { power_text: sign + (Math.abs(value) / 1000).toFixed(2), power_unit: 'kW' };
}

function timeLeft({ values }) {
    const minutes = values.time_remaining_minutes;
    for (const end of ['full', 'empty']) {
        if (isNumber(minutes) && isNumber(values[`time_to_${end}`])) {
            const rest = String(minutes % 60).padStart(2, '0');
            return `${end} in ${Math.floor(minutes / 60)} h ${rest} min`;
        }
    }
    return values.time_remaining_text || '';
}

/* place.js */

function alarm({ values }) {
    if (values.problem !== true) {
        return null;
    }
    const number = values.error_number ?? null;
    const words = values.error_text || alarms[number]?.text || 'Error';
    const message = values.error_message || '';
    const where = place({ number, unit: values.error_unit, cell: values.error_cell });
    return {
        title: `Alarm${number === null ? '' : ` ${number}`}: ${words}${where}`,
        meaning: alarms[number]?.meaning ?? '',
        message: words.includes(message) ? '' : `Message of the BMS: ${message}`,
    };
}

function events({ events: received, values }) {
    if (!received.length && values.last_alarm) {
        // Raised before Node-RED listened.
        return [{ at: Date.parse(values.last_alarm_time), raised: true, text: values.last_alarm }];
    }
    return received.map((each) => ({
        at: each.at,
        raised: each.event === 'alarm_raised',
        text: each.text + place(each) + (each.count > 1 ? `, ${each.count} times` : ''),
    }));
}

function about({ info, values }) {
    const parts = [info?.model, info?.chemistry];
    if (isNumber(info?.capacity)) {
        parts.push(`${info.capacity} Ah`);
    }
    if (isNumber(values.cells)) {
        parts.push(values.cells === 1 ? '1 cell' : `${values.cells} cells`);
    }
    if (isNumber(values.cycles)) {
        parts.push(`${values.cycles} cycles`);
    }
    return parts.filter(Boolean).join(' · ');
}

function battery(pack) {
    const { id, name, reason, updated, values } = pack;
    return {
        id, name, reason, updated,
        live: pack.live === true,
        about: about(pack),
        soc: isNumber(values.soc) ? values.soc : null,
        soc_text: text('soc', values.soc),
        ...power(values),
        state: values.charge_state ?? null,
        time: timeLeft(pack),
        tiles: TILES.map((key) => tile(pack, key)),
        alarm: alarm(pack),
        events: events(pack),
    };
}

function limits({ info, values }) {
    const low = values['settings/cell_voltage_limit_low'];
    const high = values['settings/cell_voltage_limit_high'];
    if (isNumber(low) && isNumber(high) && low < high) {
        return { low, high, known: true };
    }
    const chemistry = info?.chemistry || values['settings/chemistry'] || '';
    const [, [usualLow, usualHigh]] = usual.find(([name]) => chemistry.startsWith(name));
    return { low: usualLow, high: usualHigh, known: false };
}

function look(share) {
    if (share === null) {
        return 'unknown';
    }
    if (share < 0 || share > 1) {
        return 'out';
    }
    return share < 0.05 || share > 0.95 ? 'near' : 'good';
}

function cell({ values }, { low, high }, key) {
    const [, unit, number] = key.split('/').map(Number);
    const at = `${unit}/${number}`;
    const voltage = values[key];
    const share = isNumber(voltage) ? (voltage - low) / (high - low) : null;
    return {
        unit,
        number,
        voltage: text('cell_voltage', voltage),
        share: share === null ? 0 : Math.round(Math.min(Math.max(share, 0), 1) * 1000) / 10,
        look: look(share),
        mark: { [values.cell_min]: 'lowest', [values.cell_max]: 'highest' }[at] ?? '',
        balancing: values[`cell_balancing/${at}`] === true,
    };
}

function keysOf({ values }, kind) {
    const pattern = new RegExp(`^${kind}(/\\d{1,4})+$`);
    const order = (key) => key.split('/').slice(1).reduce((sum, part) => sum * 1e4 + Number(part), 0);
    return Object.keys(values).filter((key) => pattern.test(key)).sort((a, b) => order(a) - order(b));
}

function units(pack, between) {
    const sizes = pack.info && new Map(pack.info.units.map((unit) => [unit.address, unit.cells]));
    const found = new Map();
    for (const key of keysOf(pack, 'cell_voltage').slice(0, MAX_CELLS)) {
        const one = cell(pack, between, key);
        // The last value of a cell that has gone is null, and the description does not count it.
        if (!sizes || one.number <= (sizes.get(one.unit) ?? 0)) {
            found.set(one.unit, [...(found.get(one.unit) ?? []), one]);
        }
    }
    return [...found].map(([unit, cells]) => ({ unit, cells }));
}

function temperatures(pack) {
    const named = (kind, name) => keysOf(pack, kind).map((key) => {
        const [, unit, number] = key.split('/');
        return { key, name: name(unit, number), value: text(kind, pack.values[key]) };
    });
    return [
        ...named('temperature', (unit, number) => `Unit ${unit} sensor ${number}`),
        ...named('bms_temperature', (unit) => `Unit ${unit} board`),
    ].filter((each) => each.value !== null);
}

function cells(pack) {
    const { id, name, updated, values } = pack;
    const between = limits(pack);
    const [low, high] = [values.cell_voltage_min, values.cell_voltage_max];
    const words = between.known ? 'limits' : 'usual range';
    return {
        id, name, updated,
        live: pack.live === true,
        scale: `${words} ${between.low.toFixed(2)} to ${between.high.toFixed(2)} V`,
        spread: isNumber(low) && isNumber(high)
            ? `${low.toFixed(3)} to ${high.toFixed(3)} V, difference ${Math.round((high - low) * 1000)} mV`
            : '',
        units: units(pack, between),
        temperatures: temperatures(pack),
    };
}

function show() {
    const hasChanged = context.get('hasChanged');
    if (!hasChanged && msg.payload - context.get('shown') < HEARTBEAT_MS) {
        return null;
    }
    context.set('hasChanged', false);
    context.set('shown', msg.payload);
    const all = Object.values(packs).sort((one, other) => one.name.localeCompare(other.name));
    return [
        { payload: { note: context.get('note'), packs: all.map(battery) } },
        { payload: { packs: all.map(cells) } },
    ];
}

// A trigger node repeats the message that started it: control comes first.
if (msg.control === 'tick') {
    return show();
}
context.set('hasChanged', true);
if (msg.control === 'offline') {
    goOffline();
} else {
    updatePack();
}
return null;
