// On Stop: without this every deploy would leave a connection behind.

const socket = context.get('socket');
if (socket) {
    socket.close();
}
