// On Message: collects the messages, and makes Signal K deltas of what has changed.
//
// In:  messages of recbms-zmq;
//      msg.control = 'offline'  recbms-zmq has ended;
//                    'tick'     every second; msg.payload is the time, ms since 1970.
// Out: at a tick, one message per delta, its payload JSON for a UDP connection of the server.
//
// The same paths, units and notifications as flows/pipes/to_signalk.py, and a test compares them.
// Everything is sent again every 30 s, because a server that was restarted has forgotten it. A BMS
// without a message for three minutes has no values any more.

const MAX_BYTES = 8000; // the server takes datagrams of up to 9,000
const REPEAT_MS = 30000;
const EXPIRE_MS = 180000;
const WARNINGS = [3, 7]; // cell voltages differ, too cold to charge: they switch nothing off
const NOMINAL_CELL_VOLTAGE = { 'LiFePO4': 3.2, 'Li-Po': 3.7, 'LiMn2O4': 3.7 };
const METHODS = { normal: [], warn: ['visual'], alarm: ['visual', 'sound'] };

const rounded = (value, decimals) => Math.round(value * 10 ** decimals) / 10 ** decimals;
const kelvin = (celsius) => rounded(celsius + 273.15, 2);
const ratio = (percent) => rounded(percent / 100, 4);
const seconds = (hours) => Math.round(hours * 3600); // and C of Ah
const ohms = (milliohms) => rounded(milliohms / 1000, 6);

// Path, how its unit is reached, and its unit where the specification has none.
const ROWS = {
    'voltage': ['voltage'],
    'current': ['current'],
    'power': ['power', null, 'W'],
    'temperature_max': ['temperature', kelvin],
    'soc': ['capacity.stateOfCharge', ratio],
    'soh': ['capacity.stateOfHealth', ratio],
    'time_to_empty': ['capacity.timeRemaining', seconds],
    'time_to_full': ['capacity.timeToFull', seconds, 's'],
    'settings/charge_taken_out': ['capacity.dischargeSinceFull', seconds],
    'charge_state': ['chargeState'],
    'cell_voltage_min': ['cellVoltageMinimum', null, 'V'],
    'cell_voltage_max': ['cellVoltageMaximum', null, 'V'],
    'cell_voltage_delta': ['cellVoltageDifference', null, 'V'],
    'cell_voltage_average': ['cellVoltageAverage', null, 'V'],
    'temperature_min': ['temperatureMinimum', kelvin, 'K'],
    'balancing': ['balancing'],
    'cycles': ['cycles'],
    'cell_min': ['cellLowest'],
    'cell_max': ['cellHighest'],
    'bms_temperature/*': ['unit$0.temperature', kelvin, 'K'],
    'temperature/*/*': ['unit$0.sensor$1.temperature', kelvin, 'K'],
    'cell_voltage/*/*': ['unit$0.cell$1.voltage', null, 'V'],
    'cell_resistance/*/*': ['unit$0.cell$1.resistance', ohms, 'ohm'],
    'cell_balancing/*/*': ['unit$0.cell$1.balancing'],
};
const TEXTS = ['chargeState', 'cellLowest', 'cellHighest'];

const batteries = context.get('batteries'); // topic without the key → battery

/** The id in the path: letters and digits only, so that a-b and a_b need a number. */
function freeName(name) {
    const used = Object.values(batteries).map((battery) => battery.name);
    const base = name.replace(/[^A-Za-z0-9]/g, '') || 'battery';
    let free = base;
    for (let number = 2; used.includes(free); number += 1) {
        free = `${base}n${number}`;
    }
    return free;
}

function batteryOf() {
    const id = msg.topic.slice(0, -msg.key.length - 1);
    return batteries[id] ??= {
        name: freeName(msg.device), live: false, readings: {}, info: {}, advice: {}, error: 0,
        values: {}, changed: new Set(), units: {}, newUnits: new Set(),
    };
}

function set(battery, name, value) {
    const path = `electrical.batteries.${battery.name}.${name}`;
    if (value !== null || (battery.values[path] ?? null) !== null) {
        battery.values[path] = value;
        battery.changed.add(path);
    }
    return path;
}

function setIfNew(battery, name, value) {
    if ((battery.values[`electrical.batteries.${battery.name}.${name}`] ?? null) !== value) {
        set(battery, name, value);
    }
}

function notify(battery, name, state, message) {
    const path = `notifications.electrical.batteries.${battery.name}.${name}`;
    const last = battery.values[path];
    if (state === 'normal' && (!last || last.state === 'normal')) {
        return;
    }
    if (!last || last.state !== state || last.message !== message) {
        battery.values[path] = { state, method: METHODS[state], message };
        battery.changed.add(path);
    }
}

/** Nothing is known any more; `reason` is a sentence without its full stop. */
function withdraw(battery, reason) {
    battery.live = false;
    battery.readings = {};
    for (const [path, value] of Object.entries(battery.values)) {
        if (value !== null && !['string', 'object'].includes(typeof value)) {
            battery.values[path] = null;
            battery.changed.add(path);
        }
    }
    TEXTS.forEach((name) => set(battery, name, null));
    notify(battery, 'offline', 'warn', `No values from the BMS: ${reason}`);
}

const receive = {
    reading(battery) {
        battery.live = true;
        battery.readings[msg.key] = msg.payload;
        const row = ROWS[msg.key.replace(/\/\d+/g, '/*')];
        if (!row) {
            return;
        }
        const [pattern, convert, unit] = row;
        const numbers = [...msg.key.matchAll(/\/(\d+)/g)].map((match) => match[1]);
        const name = pattern.replace(/\$(\d)/g, (_, place) => numbers[place]);
        const path = set(battery, name, msg.payload === null || !convert ? msg.payload : convert(msg.payload));
        if (unit && !battery.units[path]) {
            battery.units[path] = unit;
            battery.newUnits.add(path);
        }
    },
    availability(battery) {
        if (msg.payload === 'online') {
            notify(battery, 'offline', 'normal', 'The BMS sends values');
        } else if (msg.seq > 1) {
            // The first message of every run is `offline`; it stays so only if it is repeated.
            withdraw(battery, msg.reason);
        }
    },
    device(battery) {
        battery.info = msg.payload;
        set(battery, 'name', msg.device_name);
        set(battery, 'manufacturer.name', 'REC');
        set(battery, 'manufacturer.model', msg.payload.model ?? null);
        set(battery, 'chemistry', msg.payload.chemistry ?? null);
    },
    event(battery) {
        if (msg.payload.advice) {
            battery.advice[msg.payload.number] = msg.payload.advice;
        }
    },
};

/** The capacities in J: charge times the nominal voltage of the pack. */
function updateCapacity(battery) {
    const { cells, soh } = battery.readings;
    const cellVoltage = NOMINAL_CELL_VOLTAGE[String(battery.info.chemistry ?? '').split(' ')[0]];
    const joules = (key) => {
        const charge = battery.readings[key];
        const isKnown = cellVoltage !== undefined && typeof cells === 'number' && typeof charge === 'number';
        return isKnown ? Math.round(charge * 3600 * cells * cellVoltage) : null;
    };
    const nominal = joules('settings/capacity');
    setIfNew(battery, 'capacity.nominal', nominal);
    setIfNew(battery, 'capacity.remaining', joules('capacity_remaining'));
    const isWorn = nominal !== null && typeof soh === 'number';
    setIfNew(battery, 'capacity.actual', isWorn ? Math.round(nominal * soh / 100) : null);
}

/** Raise and clear notifications by the readings of the error, which are refreshed. */
function updateError(battery) {
    const { error_number: number, error_text: text, error_unit: unit, error_cell: cell } = battery.readings;
    if (typeof number !== 'number') { // while it is unknown, what was raised stays
        return;
    }
    if (battery.error && battery.error !== number) {
        notify(battery, `error${battery.error}`, 'normal', `Error ${battery.error} cleared`);
    }
    battery.error = number;
    if (!number) {
        return;
    }
    const places = Object.entries({ unit, 'cell or sensor': cell }).filter(([, value]) => (value ?? null) !== null);
    const where = places.map(([name, value]) => `${name} ${value}`).join(', ');
    const sentence = (text || `Error ${number}`) + (where ? ` (${where})` : '');
    const state = WARNINGS.includes(number) ? 'warn' : 'alarm';
    notify(battery, `error${number}`, state, [sentence, battery.advice[number]].filter(Boolean).join('. '));
}

/** What has changed, in deltas of at most MAX_BYTES. */
function deltas(battery) {
    const found = [];
    const add = (kind, items) => {
        let part = [];
        let size = 0;
        const close = () => {
            const update = { $source: `recbms.${battery.name}`, timestamp: battery.ts, [kind]: part };
            found.push({ payload: JSON.stringify({ context: 'vessels.self', updates: [update] }) });
        };
        for (const item of items) {
            const length = Buffer.byteLength(JSON.stringify(item)) + 1;
            if (part.length && size + length > MAX_BYTES - 200) {
                close();
                part = [];
                size = 0;
            }
            part.push(item);
            size += length;
        }
        if (part.length) {
            close();
        }
    };
    add('meta', [...battery.newUnits].map((path) => ({ path, value: { units: battery.units[path] } })));
    add('values', [...battery.changed].map((path) => ({ path, value: battery.values[path] })));
    battery.newUnits.clear();
    battery.changed.clear();
    return found;
}

function tick(now) {
    const all = Object.values(batteries);
    const isRepeat = now - context.get('repeated') >= REPEAT_MS;
    if (isRepeat) {
        context.set('repeated', now);
    }
    const out = [];
    for (const battery of all) {
        battery.seen ??= now;
        if (battery.live && now - battery.seen > EXPIRE_MS) {
            withdraw(battery, `no message for ${EXPIRE_MS / 1000} s`);
        }
        updateCapacity(battery);
        updateError(battery);
        if (isRepeat) {
            Object.keys(battery.units).forEach((path) => battery.newUnits.add(path));
            Object.keys(battery.values).forEach((path) => battery.changed.add(path));
        }
        out.push(...deltas(battery));
    }
    const live = all.filter((battery) => battery.live).length;
    node.status({
        fill: live ? 'green' : 'yellow',
        shape: 'dot',
        text: `${live} of ${all.length} ${all.length === 1 ? 'battery' : 'batteries'} live`,
    });
    return out.length ? [out] : null;
}

if (msg.control === 'tick') {
    return tick(msg.payload);
}
if (msg.control === 'offline') {
    const live = Object.values(batteries).filter((battery) => battery.live);
    live.forEach((battery) => withdraw(battery, 'recbms-zmq has ended'));
} else if (receive[msg.kind]) {
    const battery = batteryOf();
    battery.ts = msg.ts;
    battery.seen = null; // the next tick knows the time
    receive[msg.kind](battery);
}
return null;
