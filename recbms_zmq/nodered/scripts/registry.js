// On Message: sets decimals in Home Assistant's entity registry, and removes entities from it.
//
// In:  what *Only what changed* sends; entities that it has confirmed get their decimals;
//      msg.control = 'remove'  the button; msg.payload is the id of a BMS, or empty for all;
//      msg.request             what this node sent, with the answer in msg.payload, or with
//                              msg.error if a catch node caught it.
// Out: 1. one request for the Home Assistant node at a time;
//      2. {control: 'removed'} for *Only what changed*.
//
// The companion takes no number of decimals, and Home Assistant shows volts without any. The registry
// takes them. A number that is there already is the owner's choice, and stays.

const { own } = context.get('tables');
const decimals = context.get('decimals'); // end of the unique id → number of decimals
const queue = context.get('queue'); // requests, first to last
const TRY_AGAIN_MS = 20000;
const AWAY_MS = 5000;
const MAX_TRIES = 5;

function request(data, rest) {
    const number = (context.get('flights') ?? 0) + 1;
    context.set('flights', number);
    context.set('flight', number);
    node.send([{ payload: { protocol: 'websocket', data }, request: { ...rest, number } }, null]);
}

function pump() {
    if (!context.get('flight') && !context.get('away') && queue.length) {
        request(...queue[0]);
    }
}

/* is_away.js */

function put(data, rest = {}) {
    queue.push([data, rest]);
}

function showStatus(fill, text) {
    node.status({ fill, shape: 'dot', text });
}

// ---- Decimals

function note() {
    const { component, suggested_display_precision: number } = msg.ha ?? {};
    const isMade = !own.keys || own.keys.includes(msg.key); // by this flow
    if (msg.confirm && isMade && component === 'sensor' && number !== undefined) {
        const key = msg.key.replaceAll('/', own.slash).replaceAll('_', own.underscore);
        decimals.set(own.id.replaceAll('DEVICE', msg.device) + key, number);
        if (!context.get('asked')) {
            context.set('asked', true);
            put({ type: 'config/entity_registry/list' }, { then: 'decimals' });
        }
    }
}

function setDecimals(entries) {
    context.set('asked', false);
    for (const { unique_id, entity_id, platform, options } of entries) {
        const end = platform === 'nodered' && [...decimals.keys()].find((each) => unique_id.endsWith(each));
        if (end) {
            const mine = options?.sensor ?? {};
            // Another unit has other decimals.
            if (!('display_precision' in mine) && !('unit_of_measurement' in mine)) {
                put({
                    type: 'config/entity_registry/update',
                    entity_id,
                    options_domain: 'sensor',
                    options: { ...mine, display_precision: decimals.get(end) },
                });
            }
            decimals.delete(end);
        }
    }
    // A slow computer has not made all entities yet.
    const tries = decimals.size ? (context.get('tries') ?? 0) + 1 : 0;
    context.set('tries', tries);
    if (tries && tries <= MAX_TRIES) {
        context.set('asked', true);
        setTimeout(() => {
            put({ type: 'config/entity_registry/list' }, { then: 'decimals' });
            pump();
        }, TRY_AGAIN_MS);
    } else if (tries) {
        decimals.clear();
    }
}

// ---- Removing

function remove() {
    if (context.get('remove')) {
        return; // the button was pressed twice
    }
    const device = String(msg.payload ?? '').trim();
    context.set('remove', { device, count: 0 });
    node.send([null, { control: 'removed' }]);
    showStatus('yellow', 'removing');
    put({ type: 'config/device_registry/list' }, { then: 'removeDevices' });
    put({ type: 'config/entity_registry/list' }, { then: 'removeEntities' });
}

function isOwn(pattern, text) {
    const { device } = context.get('remove');
    const found = new RegExp(pattern).exec(text);
    return found !== null && (!device || (found[1] ?? 'main') === device);
}

function removeDevices(all) {
    for (const { identifiers } of all) {
        for (const [platform, id] of identifiers) {
            if (platform === 'nodered' && isOwn(own.device, id)) {
                put({ type: 'nodered/device/remove', node_id: id });
            }
        }
    }
}

function removeEntities(all) {
    const mine = all.filter((each) => each.platform === 'nodered' && isOwn(own.entity, each.unique_id));
    context.get('remove').count = mine.length;
    mine.forEach(({ entity_id }) => put({ type: 'config/entity_registry/remove', entity_id }));
    // Entity nodes make their entities again when the companion is loaded.
    put({ type: 'config_entries/get', domain: 'nodered' }, { then: own.nodes ? 'removed' : 'reload' });
}

/** The companion remembers what it made, and does not make it again before it is reloaded. */
function reload([entry]) {
    if (!entry) {
        removed();
        return;
    }
    put(
        { type: 'call_service', domain: 'homeassistant', service: 'reload_config_entry', service_data: { entry_id: entry.entry_id } },
        { then: 'removed' },
    );
}

function removed() {
    const count = `removed: ${context.get('remove').count} entities`;
    showStatus('grey', own.nodes ? `${count}; now delete or disable this tab` : count);
    context.set('remove', null);
}

// ---- In

const after = { decimals: setDecimals, removeDevices, removeEntities, reload, removed };

if (msg.request) {
    if (msg.request.number !== context.get('flight')) {
        return null;
    }
    context.set('flight', null);
    const { then } = msg.request;
    const error = msg.error && String(msg.error.message ?? msg.error);
    if (error && isAway(error)) {
        if (context.get('remove')) {
            showStatus('yellow', 'waiting for Home Assistant');
        }
        context.set('away', true);
        setTimeout(() => {
            context.set('away', false);
            pump();
        }, AWAY_MS);
        return null;
    }
    queue.shift();
    if (!error) {
        after[then]?.(msg.payload);
    } else if (then) {
        context.set('asked', false);
        context.set('remove', null);
        queue.length = 0;
        showStatus('red', error);
    }
} else if (msg.control === 'remove') {
    remove();
} else {
    note();
}
pump();
return null;
