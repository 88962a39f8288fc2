// On Message: fires events and shows notifications in Home Assistant, for alarms and for a BMS that
// is offline for too long.
//
// In:  messages of recbms-zmq;
//      msg.control = 'announce'  Home Assistant has started: its persistent notifications are gone;
//                    'offline'   nothing is known any more: the service has ended or is silent;
//      msg.request               what this node sent, with the answer in msg.payload, or with
//                                msg.error if a catch node caught it.
// Out: requests for the Home Assistant node; the next ones when all of these were answered.
//
// Home Assistant keeps for each BMS what it was sent last (user data of the token's user), so that a
// deploy or a restart of anything sends no alarm twice. What is about to be sent is kept first, as
// 'pending'; the request that ends it goes out together with the alarm itself. Home Assistant handles
// them in this order. When an answer is missing, what Home Assistant has kept decides: what is pending
// is sent again, with the same id, and nothing else. So nothing is lost, and a repeat needs a crash
// within the milliseconds between two of these requests. While Home Assistant is away, what happens
// waits in a queue.
//
// An alarm arrives in two ways. Events come once, at the moment of the change. The readings `problem`
// and `error_*` also show what happened while this flow was not running: they are compared with the
// last alarm sent, some seconds after they arrived, when they belong to one frame.

const SETTLE_MS = 2000;
const EVENTS_ARE_NEWER_MS = 60000; // readings can be held back by --min-interval, events are not
const RETRY_MS = 30000;
const MAX_QUEUE = 200;

const { alarms } = context.get('tables');
const devices = context.get('devices'); // id → {name, values, sent, offline timer …}
const queue = context.get('queue'); // what Home Assistant has to be sent, oldest first
// device.sent is what Home Assistant has kept: {alarm, note, offline, offlineNote, count}, and null while
// it is not known. `count` grows with every item that is sent.
const offlineMs = Math.max(Number(env.get('OFFLINE_MINUTES')) || 0, 0) * 60000;

// ---- What happens

function deviceOf(id, name) {
    const device = devices[id] ??= { id, values: {}, sent: null, eventAt: 0 };
    device.name = name ?? device.name;
    return device;
}

/** The alarm that Home Assistant will have when the queue is empty. */
function lastAlarm(device) {
    const queued = queue.filter((item) => item.device === device.id && 'alarm' in item);
    return queued.length ? queued.at(-1).alarm : device.sent.alarm;
}

function lastOffline(device) {
    const queued = queue.filter((item) => item.device === device.id && 'offline' in item);
    return queued.length ? queued.at(-1).offline : device.sent.offline;
}

function isSame(one, other) {
    return one?.number === other?.number && one?.unit === other?.unit && one?.cell === other?.cell;
}

/** Queue what leads from the last alarm sent to this one; null for no alarm. */
function setAlarm(device, alarm, at) {
    const last = lastAlarm(device);
    if (isSame(last ?? undefined, alarm ?? undefined)) {
        return;
    }
    if (last) {
        put({ device: device.id, alarm: null, event: 'alarm_cleared', change: last, at });
    }
    if (alarm) {
        put({ device: device.id, alarm, event: 'alarm_raised', change: alarm, at });
    }
}

function setOffline(device, offline, at) {
    if (lastOffline(device) !== offline) {
        put({ device: device.id, offline, reason: device.reason, at });
    }
}

function put(item) {
    queue.push(item);
    if (queue.length > MAX_QUEUE) {
        queue.splice(1, 1); // the first may be on its way
    }
}

/** Do something as soon as it is known what Home Assistant was sent before. */
function whenLoaded(device, action) {
    if (device.sent) {
        action();
    } else {
        (device.waiting ??= []).push(action);
        device.waiting.splice(0, device.waiting.length - MAX_QUEUE);
    }
}

const receive = {
    event(device) {
        const { event, number, text, advice = '', unit, cell } = msg.payload;
        const at = msg.ts;
        device.eventAt = Date.now();
        const alarm = event === 'alarm_raised' ? { number, text, advice, unit, cell } : null;
        whenLoaded(device, () => setAlarm(device, alarm, at));
    },
    reading(device) {
        if (/^(problem|error_.*)$/.test(msg.key)) {
            device.values[msg.key] = msg.payload;
            device.ts = msg.ts;
            device.cancelSettle?.();
            device.cancelSettle = later(() => {
                whenLoaded(device, () => compare(device));
                pump();
            }, SETTLE_MS);
        }
    },
    availability(device) {
        device.reason = msg.reason;
        if (msg.payload === 'offline') {
            startOfflineTimer(device);
        } else {
            device.cancelOffline?.();
            device.cancelOffline = undefined;
            const at = msg.ts;
            whenLoaded(device, () => setOffline(device, false, at));
        }
    },
};

/** Take the alarm from the readings, for what happened while nothing listened to events. */
function compare(device) {
    const { problem, error_number: number, error_text, error_message, error_unit, error_cell } = device.values;
    if (Date.now() - device.eventAt < EVENTS_ARE_NEWER_MS) {
        return;
    }
    if (problem === false) {
        setAlarm(device, null, device.ts);
    } else if (problem === true && number) {
        const known = alarms[number];
        setAlarm(device, {
            number,
            text: error_text || error_message || known?.text || `Error ${number}`,
            advice: known?.advice ?? '',
            unit: error_unit ?? null,
            cell: error_cell ?? null,
        }, device.ts);
    }
}

function startOfflineTimer(device) {
    device.values = {}; // after an offline the service sends every reading again
    if (offlineMs && !device.cancelOffline) {
        device.cancelOffline = later(() => {
            device.cancelOffline = undefined;
            whenLoaded(device, () => setOffline(device, true, new Date().toISOString()));
            pump();
        }, offlineMs);
    }
}

// ---- What Home Assistant is sent

function time(at) {
    const date = new Date(at);
    const two = (number) => String(number).padStart(2, '0');
    return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} `
        + `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/* place.js */

function alarmNote(device, alarm, at) {
    const meaning = alarms[alarm.number]?.meaning || alarm.advice;
    return {
        id: `recbms_${device.id}_alarm`,
        title: `${device.name}: ${alarm.text}${place(alarm)}`,
        message: [`Alarm ${alarm.number} since ${time(at)}.`, meaning].filter(Boolean).join('\n\n'),
    };
}

function offlineNote(device, reason, at) {
    return {
        id: `recbms_${device.id}_offline`,
        title: `${device.name} is offline`,
        message: `Nothing was read for ${env.get('OFFLINE_MINUTES')} minutes, at ${time(at)}.`
            + (reason ? ` The reason: ${reason}.` : ''),
    };
}

function action(domain, service, service_data) {
    return { type: 'call_service', domain, service, service_data };
}

function show({ id, title, message }) {
    return action('persistent_notification', 'create', { notification_id: id, title, message });
}

function dismiss(id) {
    return action('persistent_notification', 'dismiss', { notification_id: id });
}

/** The phone: an action like notify.mobile_app_phone, from the tab's environment. */
function phone({ id, title, message }, isOver) {
    const name = String(env.get('NOTIFY') ?? '').trim();
    if (!name) {
        return [];
    }
    const [service, domain = 'notify'] = name.split('.').reverse();
    if (!isOver) {
        return [action(domain, service, { title, message, data: { tag: id } })];
    }
    // Home Assistant's own app takes a notification away; other ways can only send another one.
    return service.startsWith('mobile_app_')
        ? [action(domain, service, { message: 'clear_notification', data: { tag: id } })]
        : [action(domain, service, { title: `Over: ${title}`, message: 'The alarm is cleared.' })];
}

function steps(item) {
    const device = devices[item.device];
    if ('offline' in item) {
        const note = offlineNote(device, item.reason, item.at);
        return item.offline ? [show(note), ...phone(note)] : [dismiss(note.id), ...phone(note, true)];
    }
    const note = alarmNote(device, item.change, item.at);
    const isOver = item.event === 'alarm_cleared';
    const event_data = {
        id: `${device.id}-${item.count}`,
        event: item.event,
        ...item.change,
        device: device.id,
        device_name: device.name,
        ts: item.at,
    };
    return [
        { type: 'fire_event', event_type: 'recbms_alarm', event_data },
        isOver ? dismiss(note.id) : show(note),
        ...phone(note, isOver),
    ];
}

/** What Home Assistant has been sent when it has this item. */
function after(item) {
    const device = devices[item.device];
    const { alarm, offline, reason, at, count } = item;
    return 'alarm' in item
        ? { ...device.sent, count, alarm, note: alarm ? alarmNote(device, alarm, at) : null }
        : { ...device.sent, count, offline, offlineNote: offline ? offlineNote(device, reason, at) : null };
}

/** Send requests together; `flight` is what is known of them until all were answered. */
function send(requests, flight) {
    const number = (context.get('flights') ?? 0) + 1;
    context.set('flights', number);
    context.set('flight', { ...flight, number, waiting: requests.length });
    node.send([requests.map((data) => ({
        payload: { protocol: 'websocket', data },
        request: { number, type: data.type, action: data.domain && `${data.domain}.${data.service}` },
    }))]);
}

/** Send what comes next, unless something is on its way, or Home Assistant is away. */
function pump() {
    if (context.get('flight') || context.get('cancelRetry')) {
        return;
    }
    const unknown = Object.values(devices).find((device) => !device.sent);
    if (unknown) {
        send([{ type: 'frontend/get_user_data', key: `recbms_${unknown.id}` }], { load: unknown.id });
        return;
    }
    const renewed = Object.values(devices).find((device) => device.renew);
    if (renewed) {
        renewed.renew = false;
        const notes = [renewed.sent.note, renewed.sent.offlineNote].filter(Boolean);
        if (notes.length) {
            send(notes.map(show), {});
            return;
        }
        pump();
        return;
    }
    const [item] = queue;
    if (item) {
        const { sent } = devices[item.device];
        item.count = sent.count + 1;
        const keep = (value) => ({ type: 'frontend/set_user_data', key: `recbms_${item.device}`, value });
        const done = after(item);
        send([keep({ ...sent, pending: item }), ...steps(item), keep(done)], { sent: done });
    }
}

/** Home Assistant has kept this of a device. */
function load(id, kept) {
    const device = devices[id];
    const { pending, ...sent } = kept ?? {};
    device.sent = { alarm: null, offline: false, count: 0, ...sent };
    const index = queue.findIndex((item) => item.device === id);
    if (queue[index]?.count <= device.sent.count) {
        queue.splice(index, 1); // it arrived, although the answer did not
    } else if (pending && queue[index]?.count !== pending.count) {
        queue.unshift(pending); // from before this deploy
    }
    (device.waiting ?? []).splice(0).forEach((each) => each());
}

/** Ask Home Assistant what it has: it decides what was sent. */
function forget() {
    Object.values(devices).forEach((device) => {
        device.sent = null;
    });
}

/* is_away.js */

/* later.js */

function retry() {
    context.get('cancelRetry')?.();
    context.set('cancelRetry', null);
    pump();
}

function answered({ number, type, action: name }) {
    const flight = context.get('flight');
    if (flight?.number !== number) {
        return; // Home Assistant has restarted in between
    }
    flight.waiting -= 1;
    if (msg.error) {
        const text = String(msg.error.message ?? msg.error);
        if (isAway(text)) {
            flight.isLost = true;
        } else if (type !== 'frontend/get_user_data') {
            node.error(name
                ? `Home Assistant refuses the action ${name}: is NOTIFY in the tab's environment its name? ${text}`
                : `Home Assistant refuses ${type}: ${text}`);
        }
    }
    if (flight.waiting) {
        return;
    }
    context.set('flight', null);
    if (flight.isLost) {
        forget();
        context.set('cancelRetry', later(retry, RETRY_MS));
        return;
    }
    if (flight.load) {
        load(flight.load, msg.error ? null : msg.payload?.value);
    } else if (flight.sent) {
        devices[queue.shift().device].sent = flight.sent;
    }
    pump();
}

// ---- In

if (msg.request) {
    answered(msg.request);
    return null;
}
if (msg.control === 'announce') {
    context.set('flight', null); // what was on its way when Home Assistant ended has no answer
    forget();
    Object.values(devices).forEach((device) => {
        device.renew = true;
    });
    retry();
} else if (msg.control === 'offline') {
    Object.values(devices).forEach(startOfflineTimer);
} else if (receive[msg.kind]) {
    receive[msg.kind](deviceOf(msg.device, msg.device_name));
}
pump();
return null;
