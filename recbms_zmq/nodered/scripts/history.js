// On Message: makes of power and state of charge the points of the charts.
//
// In:  messages of recbms-zmq;
//      msg.control = 'offline'  nothing is known any more;
//                    'tick'     every second; msg.payload is the time, ms since 1970.
// Out: 1. power, the mean of each step; 2. state of charge. Each a list of {series, x, y}, one for
//      each pack, y null while nothing is known; and before the first point of a pack, how the
//      charts look.
//
// A chart keeps as many points as its pixels can show: HISTORY_HOURS, from the tab's environment,
// in 720 steps.

const STEPS = 720;
// Where there are several packs, each has the same colour in both charts.
const COLOURS = ['#4aa8ff', '#3ddc97', '#ffb547', '#c792ea', '#ff8a80', '#80cbc4', '#d4e157', '#90a4ae'];

const stepMs = Math.max(Number(env.get('HISTORY_HOURS')) * 3600e3 / STEPS, 1);
const packs = context.get('packs'); // topic without the key → {name, live, power, soc, sum, count}

function take() {
    const id = msg.topic.slice(0, -msg.key.length - 1);
    const values = msg.kind === 'snapshot' ? msg.payload : { [msg.key]: msg.payload };
    const pack = packs[id] ??= { live: false, power: null, soc: null, sum: 0, count: 0 };
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

/** What a pack's line is called. Two services may both call one "REC BMS". */
function series(id) {
    const { name } = packs[id];
    const same = Object.values(packs).filter((other) => other.name === name).length > 1;
    return same ? `${name} (${id})` : name;
}

function point(id, x) {
    const pack = packs[id];
    const mean = pack.count ? Math.round(pack.sum / pack.count * 10) / 10 : null;
    Object.assign(pack, { sum: 0, count: 0 });
    return [
        { series: series(id), x, y: mean },
        { series: series(id), x, y: pack.live ? pack.soc : null },
    ];
}

/** How the charts look, beyond what their nodes' settings offer. */
function style(names) {
    const several = names.length > 1;
    return {
        ui_update: {
            chartOptions: {
                title: { left: 4, textStyle: { fontSize: 15, fontWeight: 600 } },
                legend: { show: several, type: 'scroll', top: 2, left: 175, right: 4, textStyle: { color: '#93a1af' } },
                grid: { left: 4, right: 12, top: 34, bottom: 4, containLabel: true },
                tooltip: { confine: true },
                xAxis: { splitLine: { show: false } },
                series: names.map((name, number) => ({
                    name,
                    type: 'line',
                    showSymbol: false,
                    lineStyle: { width: 2 },
                    ...(several ? { color: COLOURS[number % COLOURS.length] } : {}),
                    areaStyle: { opacity: several ? 0 : 0.18 },
                })),
            },
        },
    };
}

function tick() {
    const now = msg.payload;
    Object.values(packs).forEach(measure);
    if (now - context.get('drawn') < stepMs) {
        return null;
    }
    context.set('drawn', now);
    const ids = Object.keys(packs).sort();
    if (!ids.length) {
        return null;
    }
    const names = ids.map(series);
    const points = ids.map((id) => point(id, now));
    const out = [0, 1].map((chart) => [{ payload: points.map((both) => both[chart]) }]);
    if (context.get('styled') !== names.join('\n')) {
        context.set('styled', names.join('\n'));
        out.forEach((messages) => messages.unshift(style(names)));
    }
    return out;
}

if (msg.control === 'tick') {
    return tick();
}
if (msg.control === 'offline') {
    Object.values(packs).forEach(forget);
} else {
    take();
}
return null;
