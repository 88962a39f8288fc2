/** How the program has ended: the exec node gives an object, the daemon node a code or a signal. */
function endOfProgram(payload) {
    const { code = null, signal = null } = typeof payload === 'object' && payload !== null
        ? payload
        : { [typeof payload === 'string' ? 'signal' : 'code']: payload };
    return { code, signal };
}
