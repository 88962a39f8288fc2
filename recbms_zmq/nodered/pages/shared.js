    data() {
        return { now: Date.now(), arrived: Date.now(), connected: true, at: null };
    },
    watch: {
        msg() {
            this.arrived = Date.now();
        },
    },
    methods: {
        packs() {
            return (this.msg.payload && this.msg.payload.packs) || [];
        },
        // The address names the pack that was chosen, so that each screen can show its own.
        pack() {
            const packs = this.packs();
            return packs.find((each) => each.id === this.$route.query.pack) || packs[0] || null;
        },
        choose(id) {
            this.$router.replace({ query: { ...this.$route.query, pack: id } });
        },
        // Node-RED sends something every ten seconds, also when nothing has changed.
        isConnected() {
            return this.connected && this.now - this.arrived < 30000;
        },
        isLive() {
            return this.isConnected() && this.pack() !== null && this.pack().live;
        },
        known(text) {
            return this.isLive() && text !== null ? text : '–';
        },
        packIcon(pack) {
            if (!this.isConnected() || !pack.live) {
                return 'mdi-lan-disconnect recbms-icon-gone';
            }
            return pack.alarm ? 'mdi-alert recbms-icon-alarm' : 'mdi-circle-medium recbms-icon-live';
        },
        clock(time) {
            const at = new Date(time);
            const isToday = at.toDateString() === new Date(this.now).toDateString();
            const hours = { hour: 'numeric', minute: '2-digit', second: '2-digit' };
            return at.toLocaleString([], isToday ? hours : { month: 'short', day: 'numeric', ...hours });
        },
    },
    mounted() {
        this.timer = setInterval(() => {
            this.now = Date.now();
            this.connected = this.$socket.connected;
        }, 1000);
    },
    unmounted() {
        clearInterval(this.timer);
    },
