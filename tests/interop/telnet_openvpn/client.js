// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client of a management interface in hold, made of npm's package telnet-openvpn as it comes; tells everything that it emits in
// one line of JSON each.
//
//     node client.js PORT
'use strict';

const TelnetVPN = require('telnet-openvpn');

const vpn = new TelnetVPN();
const tell = (kind) => (what) => console.log(JSON.stringify([kind, what === undefined ? null : what]));

vpn.on('data', tell('data'));
vpn.on('log', tell('log'));
vpn.on('error', tell('error'));
vpn.on('end', () => vpn.destroy());
vpn.on('connect', () => {
  const commands = ['state on', 'log on all', 'bytecount 1', 'pid', 'username "Auth" nobody', 'hold release', 'state',
                    'signal SIGTERM'];
  commands.reduce((before, command) => before.then(() => vpn.exec(command)), Promise.resolve())
    .then(tell('done'), tell('failed'));
});
vpn.connect({ port: Number(process.argv[2]), sendTimeout: 300 });
setTimeout(() => process.exit(2), 20000).unref();
