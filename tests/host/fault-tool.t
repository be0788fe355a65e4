#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# host only
#
# mconsole-fault against guests that misbehave, or answer at a moment of the test's choosing: what no real
# guest does on command. With real guests: fault-tool-guest.t; of timelines: fault-tool-run.t.

use strict;
use warnings;
no warnings 'qw';	# guests are named with commas
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::UNIX;
use JSON::PP;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep);

my $top = abs_path(dirname(__FILE__) . '/../..');
my $tool = $ENV{TOOL} = ($ENV{BIN} // "$top/build/bin") . '/mconsole-fault';
plan skip_all => "there is no $tool; make tools" unless -x $tool;
require "$top/tests/lib/fake-guests.pl";
our ($dir, $home, $out, $err, $took);

sub json { return JSON::PP->new->decode($out) }

# ---- requests ----

guest('a', sub { packets("r1\n") });
is(run(qw(a add eth0 drop prob=30% dir=rx)), 0, 'a verb is done');
is($out, "r1\n", 'its reply is printed');
is(requests('a'), "fault add eth0 drop prob=30% dir=rx\n", 'words are joined with a blank');

sub sent
{
	unlink "$dir/a.log";
	my $status = run('a', @_);
	return $status ? "status $status: $err" : requests('a') =~ s/\n\z//r;
}

is(sent('del', 'x y'), "fault del 'x y'", 'a word with a blank is quoted');
is(sent('add', 'eth0', 'drop', 'id=a;b'), "fault add eth0 drop id='a;b'", 'a value with a semicolon is quoted');
is(sent('add', 'eth0', 'drop', "id=a'b"), "fault add eth0 drop id=\"a'b\"", 'a quote is put in the other quotes');
is(sent('add eth0 drop id=x; list'), 'fault add eth0 drop id=x; list', 'one argument may hold several statements');
is(sent('add', 'eth0', 'drop', ';', 'list'), 'fault add eth0 drop; list', 'a lone semicolon separates too');
is(sent(q{add eth0 drop match="tcp  port 22" bpf="1,6 0 0 0"}),
	q{fault add eth0 drop match='tcp  port 22' bpf='1,6 0 0 0'}, 'a line of list goes back as it came');
is(sent('add', 'eth0', 'drop', 'match=icmp'),
	q{fault add eth0 drop match=icmp bpf='6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 1,6 0 0 65535,6 0 0 0'},
	'match= is compiled and kept');
like(sent('add', 'eth0', 'drop', "match='ip\n and tcp'"), qr/ match='ip  and tcp' bpf='\d+,/,
	'quotes and newlines in an argument do not reach the filter');
is(sent('list', 'match=icmp'), 'fault list match=icmp', 'match= is compiled for add only');

for ([['a', 'add', 'eth0', 'drop', 'match=foo bar'], qr/^mconsole-fault: match='foo bar': .*syntax error/],
	[['a', 'add', 'eth0', 'drop', 'match=ip and not ip'], qr/rejects all packets/],
	[['a', 'add', 'eth0', 'drop', 'match='], qr/match= is empty/],
	[['a', 'add', 'eth0', 'drop', "id='\""], qr/cannot hold both ' and "/],
	[['a', 'add', 'eth0', 'drop', "id=a\nb"], qr/word 4 has a control character \(0x0a\)/],
	[['a', "del 'x"], qr/quote is not closed/],
	[['a', 'del', 'x' x 503], qr/has 513 bytes, 2 more than the 511 a guest takes$/],
	[['a', 'wait', 'r1', 'fired'], qr/in quotes because of the shell/],
	[['a', 'wait', 'r1', 'fried>=1'], qr/^mconsole-fault: fried>=1: must be evaluated/],
	[['a', 'wait', 'r1', 'fired=1'], qr/fired=1: must have one of/],
	[['a', 'wait', 'r1', 'fired>=-1'], qr/whole number must follow >=/],
	[['a', 'wait', 'fired>=1'], qr/needs a rule's id/],
	[['a', 'expect'], qr/expect needs <id>/],
	[['a', 'list', '--follow'], qr/--follow goes with events only/],
	[['a', 'events', '--follow', 'from=1'], qr/from=1: events takes since=/],
	[['a', 'list', '--timeout', '5 parsecs'], qr/--timeout 5 parsecs: must be a time/],
	[['a', 'list', '--nope'], qr/nope/],
	[['a,,b', 'list'], qr/name is missing/], [['a,a', 'list'], qr/a: named twice/],
	[['a'], qr/which verb/], [[], qr/which guest/]) {
	my ($args, $why) = @$_;
	unlink "$dir/a.log";
	my $name = join(' ', @$args) =~ s/x{9,}/x.../r =~ s/\n/\\n/r;
	is(run(@$args), 2, "usage: '$name'");
	like($err, $why, '... says what is wrong');
	is(($err =~ tr/\n//) . requests('a'), '1', '... in one line, and sends nothing');
}
is(length(sent('del', 'x' x 501)), 511, 'the longest request goes through');

# ---- replies ----

my $long = join '', map { "line $_ of a long reply\n" } 1 .. 5000;
guest('long', sub { packets($long) });
is(run('long', 'list'), 0, 'a reply of hundreds of packets is done');
ok($out eq $long, '... and complete');

guest('no', sub { packets("prob=125%: must be from 0% to 100%\n", 1) });
is(run('no', 'add', 'eth0', 'drop', 'prob=125%'), 1, 'a refusal is status 1');
is("$out$err", "no: prob=125%: must be from 0% to 100%\n", '... and its line is on stderr with the name');
guest('nolong', sub { packets('x' x 1000, 1) });
is(run('nolong', 'list'), 1, 'a refusal in several packets carries err in the first only');
guest('old', sub { packets('Unknown command', 1) });
is(run('old', 'list'), 1, 'a kernel without the verb refuses');
like($err, qr/^old: .*not an umf kernel/, '... and is told from a bad rule');
guest('esc', sub { packets("a\e[2Jb\x07\n\nc") });
is(run('esc', 'list'), 0, 'a reply with escape sequences');
is($out, "a?[2Jb?\n\nc\n", '... does not reach the terminal');

guest('mute', sub { () });
is(run('mute', 'list', '--timeout', '300ms'), 3, 'no answer is status 3');
like($err, qr/^mute: no answer in time/, '... and says so');
ok($took > 0.25 && $took < 3, '... after --timeout');
guest('half', sub { packet('some', more => 1) });
is(run(qw(half list --timeout 0.3)), 3, 'half an answer is none');
is($out, '', '... and is not printed');
for (['endless', packet('x' x 500, more => 1)], ['endless-nothing', packet('', more => 1, len => 0)]) {
	my ($name, $packet) = @$_;
	my $pid = guest($name, sub { ($packet) x 1_000_000 });
	# by its length, on a busy machine too
	is(run($name, 'list', '--timeout', '60s'), 3, "an $name reply is cut off");
	like($err, qr/^$name: the reply does not end/, '... and says so');
	kill_guest($pid);
}
guest('slow', sub { sleep 0.5; packets('late') });
is(run(qw(slow list)), 0, 'a slow answer is waited for');

my %garbage = (
	short => 'x', empty => '', header => pack('LL', 0, 0), beyond => packet('abc', len => 100),
	huge => packet('a' x 600, len => 4_000_000_000), text => "ERR Version 0 mconsole clients are not supported",
);
for my $name (sort keys %garbage) {
	guest("g-$name", sub { $garbage{$name} });
	is(run("g-$name", 'list'), 3, "a garbage reply ($name) is status 3");
	like($err, qr/^g-$name: .*does not speak mconsole/, '... and says so');
}
guest('nul', sub { pack('LLL', 0, 0, 3) . 'abc' });
is(run('nul', 'list'), 0, 'a reply without its NUL is fine');
is($out, "abc\n", '... and complete');

# ---- finding guests ----

is(run(qw(nobody list)), 3, 'an unknown guest is status 3');
like($err, qr/^nobody: no such guest in \S+.*; running: a esc/, '... and those that run are named');
is(run(qw(lon list)), 3, 'a prefix of a umid is not it');

my $dead = guest('dead', sub { () });
kill_guest($dead);
is(run(qw(dead list)), 3, 'a dead guest is status 3');
like($err, qr/^dead: dead: nobody listens/, '... and said to be dead');
guest('dead', sub { packets('alive') }, dir => "$home/.uml");
is(run(qw(dead list)), 0, 'a living guest of the name in another folder goes first');
is(run("$ENV{UML_DIR}/a/mconsole", 'list'), 0, 'the path of a socket names a guest');
is(run("$ENV{UML_DIR}/a", 'list'), 0, '... and so does its folder');
is(run("$ENV{UML_DIR}/none/mconsole", 'list'), 3, 'no such path is status 3');
is(run("$dir/a.log", 'list'), 3, 'a file is no socket');
like($err, qr/not a socket/, '... and said to be none');

my $deep = "$dir/" . join('/', map { $_ x 60 } 'a' .. 'c');
{
	my $path = $dir;
	mkdir($path .= '/' . $_ x 60) for 'a' .. 'c';
	chdir $path;
	guest('u', sub { packets('deep') }, dir => '.');
	chdir '/';
}
is(run("$deep/u/mconsole", 'list'), 0, 'a path too long for a socket address is reached');

is(run('--guests'), 0, '--guests is done');
like($out, qr{^a \Q$ENV{UML_DIR}\E/a/mconsole$}m, '... and lists umid and socket');
unlike($out, qr{^dead \Q$ENV{UML_DIR}\E}m, '... but no dead guest');
like($out, qr{^dead \Q$home\E}m, '... from all folders');
run('--guests', '--json');
ok((grep { $_->{guest} eq 'a' && $_->{socket} =~ m{/a/mconsole$} } @{json()}), '... as JSON too');

{
	my $full = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/full") or die;
	my $feed = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "$dir/full") or die;
	$feed->blocking(0);
	1 while defined send($feed, 'x', 0);
	is(run("$dir/full", qw(list --timeout 0.3)), 3, 'a guest that reads nothing does not hang the tool');
}

# ---- several guests ----

guest('b', sub { packets("r7\nr8\n") });
is(run(qw(a,b list)), 0, 'two guests are done');
is($out, "a: r1\nb: r7\nb: r8\n", '... and each line is named');
is(run(qw(a,no,b list)), 1, 'one refuses');
is($out, "a: r1\nb: r7\nb: r8\n", '... the others are done');
is(run(qw(a,no,nobody,b list)), 3, 'the worst status counts');
run(qw(slow,mute list --timeout 700ms));
ok($took < 1.15, 'guests are asked at the same time');

# ---- JSON ----

my $text = <<'EOT';
seed 18446744073709551615
add eth0 drop dir=rx peer=52:54:00:00:00:01 match="tcp port 22" bpf="1,6 0 0 0" prob=30% count=3 at=+1500ms id=r1
add eth0 corrupt bits=0x10 offset=14-33 burst=1%,20%,100%,0.5ppm at=2m for=250us period=1s duty=12.5% id=r2
add eth0 corrupt offset=14+20 seed=7 id=r3
suspend r2
EOT
guest('j', sub { packets($text) });
is(run(qw(--json j list)), 0, 'list as JSON');
my $list = json();
is_deeply($list->[0], { guest => 'j', seed => '18446744073709551615' }, '... begins with the seed');
is_deeply($list->[1]{params}, { dir => 'rx', peer => '52:54:00:00:00:01', match => 'tcp port 22', bpf => '1,6 0 0 0',
	prob => 0.3, count => 3, at => { ns => 1500000000, relative => JSON::PP::true } }, '... has a rule\'s keys');
is_deeply($list->[2]{params}, { bits => 16, offset => { first => 14, last => 33 },
	burst => { p_bad => 0.01, p_good => 0.2, loss_bad => 1, loss_good => 5e-7 },
	at => { ns => 120000000000, relative => JSON::PP::false }, for => 250000, period => 1000000000, duty => 0.125 },
	'... of every type');
is_deeply($list->[3]{params}, { offset => { first => 14, last => 33 }, seed => '7' }, '... and both ranges');
is(join(' ', map { $_->{suspended} ? 1 : 0 } @$list[1 .. 3]), '0 1 0', '... and what is suspended');
is(join("\n", map { $_->{line} } @$list[1 .. 3]), join("\n", (split /\n/, $text)[1 .. 3]), '... and the lines');
like($out, qr/"count":3,/, '... numbers are numbers');

guest('s', sub { packets("r1 eth0 drop state=open evaluated=10 matched=9 fired=3 bytes=294 " .
	"first=1.234567890\@4 last=2.000000009\@9\nr2 eth0 down state=waiting evaluated=0 matched=0 fired=0 bytes=0\n") });
run(qw(--json s stats));
is_deeply(json(), [ { guest => 's', id => 'r1', device => 'eth0', action => 'drop', state => 'open', evaluated => 10,
	matched => 9, fired => 3, bytes => 294, first_ns => 1234567890, first_index => 4, last_ns => 2000000009,
	last_index => 9 }, { guest => 's', id => 'r2', device => 'eth0', action => 'down', state => 'waiting',
	evaluated => 0, matched => 0, fired => 0, bytes => 0, first_ns => undef, first_index => undef, last_ns => undef,
	last_index => undef } ], 'stats as JSON');

my $event = 'time=1.000000001 device=eth0 rule=r1 action=drop index=77 what="rx 98 bytes; a=b"';
guest('e', sub { packets("lost=123\nseq=12 $event\n") });
run(qw(--json e events));
is_deeply(json(), [ { guest => 'e', lost => 123 }, { guest => 'e', seq => 12, time_ns => 1000000001, device => 'eth0',
	rule => 'r1', action => 'drop', index => 77, what => 'rx 98 bytes; a=b' } ], 'events as JSON');
guest('d', sub { packets("eth0 net rules=2\n") });
run(qw(--json d,s devices));
is_deeply(json()->[0], { guest => 'd', device => 'eth0', class => 'net', rules => 2 }, 'devices as JSON');
run(qw(--json a,b del r1));
is_deeply([ map { JSON::PP->new->decode($_) } split /\n/, $out ], [ { guest => 'a', reply => "r1\n" },
	{ guest => 'b', reply => "r7\nr8\n" } ], 'other verbs are an object a guest');
guest('odd', sub { packets("\"\\ \xff=\n=x y= z\nr1 eth0\n\n") });
for (qw(list stats events devices help)) {
	is(run('--json', 'odd', $_), 0, "$_ of an unforeseen kind");
	ok(ref(json()), '... is JSON still');
}

# ---- wait and expect ----

my $stats = sub { "r1 eth0 drop state=open evaluated=9 matched=5 fired=$_[0] bytes=7\nr2 eth0 dup state=open " .
	"evaluated=4 matched=4 fired=4 bytes=7\n" };
guest('w', sub { packets($stats->($_[1])) });
is(run(qw(w wait r1 fired>=4)), 0, 'wait comes true');
is($out . $err, '', '... and is silent');
ok(requests('w') =~ /^(fault stats r1\n){5}$/, '... as soon as it is true');
guest('w3', sub { packets($stats->(3)) });
for (['r1 fired>=3', 0], ['r1 fired>3', 4], ['r1 fired==3', 0], ['r1 fired<3', 4], ['r1 fired<=3', 0],
	['r1 matched>=5 evaluated==9 bytes>6', 0], ['r1 fired>=3 r2 fired>=4', 0], ['r1 fired>=3 r2 fired>4', 4]) {
	is(run('w3', 'expect', split(/ /, $_->[0])), $_->[1], "expect $_->[0]");
}
is($err, "w3: r2 fired>4: saw evaluated=4 matched=4 fired=4 bytes=7 state=open\n", '... says what was seen');
is(run(qw(w3 wait r1 fired>=4 --timeout 300ms)), 4, 'wait gives up');
ok($took > 0.25 && $took < 2, '... in time');
like($err, qr/^w3: r1 fired>=4: saw .* fired=3 /, '... and says what was seen');
is(run(qw(w3 wait r9 fired>=0 r1 fired>=0)), 1, 'waiting for no rule is a refusal');
is($err, "w3: r9: no such rule\n", '... and says so');
is(run(qw(w3 expect r1 fired>=3 --json)), 0, 'expect as JSON');
is_deeply(json(), { guest => 'w3', verb => 'expect', true => JSON::PP::true, conditions => [ { id => 'r1',
	counter => 'fired', op => '>=', wanted => 3, seen => 3, held => JSON::PP::true } ] }, '... is an object');
guest('w2', sub { packets($stats->($_[1])) });
is(run(qw(w2,w3 wait r1 fired>=3)), 0, 'several guests, each in its own time');
is(run(qw(w2,no wait r1 fired>=3)), 1, 'one of them refuses');
my $dies = guest('dies', sub { packets($stats->(0)) });
my $pid = start(qw(dies wait r1 fired>=1));
sleep 0.3;
kill_guest($dies);
is(finish($pid), 3, 'a guest that dies ends the wait');

# ---- events --follow ----

guest('f', sub {
	my ($request, $n) = @_;
	return packets("seq=1 $event\nseq=2 $event\n") if $n == 0;
	return packets("lost=5\nseq=8 $event\n") if $request =~ /since=2$/;
	return packets('');
});
$pid = start(qw(f events --follow));
sleep 0.8;
is(slurp("$dir/out") =~ s/ time=.*//gr, "seq=1\nseq=2\nlost=5\nseq=8\n", 'records are printed as they come');
kill 'INT', $pid;
is(finish($pid), 0, 'Ctrl-C ends it, well');
like(requests('f'), qr/^fault events since=0\nfault events since=2\n(fault events since=8\n)+$/,
	'... what was read is not asked for again');
$pid = start(qw(f events since=2 --follow --json));
sleep 0.4;
kill 'TERM', $pid;
finish($pid);
my @records = map { JSON::PP->new->decode($_) } split /\n/, $out;
is(join(' ', map { $_->{lost} // $_->{seq} } @records), '5 8', '... as an object a line');
my $mute = start(qw(mute events --follow --timeout 60));
sleep 0.3;
kill 'INT', $mute;
is(finish($mute), 0, 'Ctrl-C is heard while a guest is silent');
$dies = guest('dies', sub { packets('') });
$pid = start(qw(dies events --follow));
sleep 0.3;
kill_guest($dies);
is(finish($pid), 3, 'a guest that dies ends it');

# ---- manual page and completion ----

sub complete
{
	my ($line) = @_;
	return qx{bash -c 'cd "\$0" && PATH=$top/build/bin:\$PATH && . completions/bash/mconsole-fault &&
		COMP_LINE="\$1" COMP_POINT=\${#1} COMP_WORDS=(mconsole-fault) && _mconsole_fault 2>/dev/null &&
		echo -n "\${COMPREPLY[*]}"' "$top/build" "$line"};
}

guest('c', sub { packets($_[0] =~ /devices/ ? "eth0 net rules=1\n" : "r1 eth0 drop\nr2 eth0 dup\n") });
for (['c ev', 'events'], ['c add ', 'eth0'], ['--timeout 5s c add eth0 d', 'drop dup delay down'], ['ru', 'run'],
	['c add ttyS0 d', 'drop dup delay'], ['c help cu', 'cut'], ['c cap', 'capture'], ['c capture ', 'eth0'], ['c capture eth0 o', 'off'],
	['c capture eth0 -w x --t', '--timeout --text'], ['run --ch', '--check'],
	['c add eth0 down p', 'period='], ['c add ttyS0 modem dc', 'dcd='], ['c add eth0 drop dir=', 'rx tx'], ['c suspend ', 'all r1 r2']) {
	is(complete("mconsole-fault $_->[0]"), $_->[1], "completion of '$_->[0]'");
}

SKIP: {
	my $page = "$top/build/man/mconsole-fault.1";
	skip 'man is not installed', 1 if system('man --version >/dev/null 2>&1');
	is(qx{LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 -Z $page 2>&1 >/dev/null}, '', 'the manual page has no warnings');
}

# ---- the tool itself ----

is(run('--help'), 0, '--help');
like($out, qr/^Usage: .*^  suspend <id>\|all\n.*Exit status/ms, '... has the verbs');
is(run('--version'), 0, '--version');
SKIP: {
	skip '/dev/full is not there', 1 unless -c '/dev/full';
	is(system("$tool a list >/dev/full 2>/dev/null") >> 8, 3, 'a full disk is not silent');
}

done_testing;
