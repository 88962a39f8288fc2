// On Start: keeps Node-RED alive when the Home Assistant nodes lose their connection.
//
// node-red-contrib-home-assistant-websocket (0.80.3) leaves a promise rejected and unhandled when the
// connection ends while it fetches Home Assistant's registries. Node.js ends the process then, and
// with it every flow. This handler ignores that rejection. Every other one gets what Node.js does
// without a handler.

const CONNECTION_LOST = 3; // ERR_CONNECTION_LOST of home-assistant-js-websocket
const OURS = Symbol.for('recbms-zmq.unhandledRejection'); // the handlers of all our tabs have it

/** The library rejects with the bare number, or with the answer that a command did not get. */
function isConnectionLost(reason) {
    return reason === CONNECTION_LOST
        || (reason?.type === 'result' && reason.error?.code === CONNECTION_LOST);
}

function hasAnotherHandler() {
    return process.listeners('unhandledRejection').some((each) => !each[OURS]);
}

/** Whether Node.js was started with another mode than its default, `throw`. */
function hasAnotherMode() {
    const options = [...(process.env.NODE_OPTIONS ?? '').split(' '), ...process.execArgv];
    const modes = options.filter((each) => each.startsWith('--unhandled-rejections='));
    return modes.length > 0 && !modes.at(-1).endsWith('=throw');
}

function handle(reason) {
    if (isConnectionLost(reason) || hasAnotherHandler() || hasAnotherMode()) {
        return;
    }
    // Thrown from here it reaches uncaughtException, as without a handler.
    throw reason instanceof Error ? reason : new Error(`Unhandled promise rejection: ${reason}`);
}

handle[OURS] = true;
process.on('unhandledRejection', handle);
context.set('handle', handle);
