// On Message: the daemon node gives the program's log as bytes.

msg.payload = msg.payload.toString().trimEnd();
return msg;
