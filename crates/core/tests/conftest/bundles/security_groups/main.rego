package main

import rego.v1

import data.lib.net
import data.ports as known

deny_ports contains {"msg": msg, "port": port, "service": service} if {
	some rule in net.ingress
	some cidr in rule.cidrs
	net.is_world(cidr)
	some service, port in known.forbidden
	net.covers(rule, port)
	msg := sprintf("%s: %s (%d) is open to %s", [rule.address, service, port, cidr])
}

warn_wide contains msg if {
	some rule in net.ingress
	width := (rule.to - rule.from) + 1
	width > known.width_max
	msg := sprintf("%v opens %v ports", [rule.address, width])
}

warn_private contains msg if {
	some rule in net.ingress
	private := [cidr |
		some cidr in rule.cidrs
		some range in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
		net.is_within(range, cidr)
	]
	count(private) > 0
	msg := sprintf("%s: private %v", [rule.address, sort(private)])
}
