// On Message: how the program ended, as a sentence: on this node and once in the debug sidebar.
//
// In:  msg.payload of the exec node, {code, signal}, or of the daemon node, a number or a signal.
//      A code below 0 is an error of the system: the program could not be started.

/* end_of_program.js */

const program = env.get('PROGRAM');
const { code, signal } = endOfProgram(msg.payload);

const SENTENCES = {
    [-2]: /\s/.test(program) && !/^".*"$/.test(program)
        ? `${program} was not found: its path has a space, so put PROGRAM in double quotes in the tab's environment`
        : `${program} was not found: set PROGRAM in the tab's environment to its whole path, for example /home/pi/recbms/bin/recbms-zmq`,
    [-13]: `${program} may not be run: PROGRAM in the tab's environment is no program, or belongs to another user`,
    0: 'ended when it was asked to',
    2: "an option is wrong: see the log in the debug sidebar, and correct ARGUMENTS or BMS_URL in the tab's environment",
    69: 'what it needs is not there: see the log in the debug sidebar',
    73: 'its ZeroMQ address is in use: another recbms-zmq is running; change the address in ARGUMENTS, or end the other one',
    78: 'its configuration is wrong: see the log in the debug sidebar',
    126: `${program} may not be run: is PROGRAM in the tab's environment a program?`,
    127: `${program} was not found: set PROGRAM in the tab's environment to its whole path`,
};
const end = code === null ? `it was ended by ${signal}` : `it ended with code ${code}`;
const text = SENTENCES[code] ?? `${end}: see the log in the debug sidebar`;

node.status({ fill: code === 0 ? 'grey' : 'red', shape: 'ring', text });
if (code !== 0 && signal !== 'SIGTERM' && context.get('text') !== text) {
    node.error(text);
}
context.set('text', text);
return null;
