#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# host only
#
# umf-lab test: what a seed draws. Pure: 1,000 seeds of each of five spaces are looked at as they are printed, and no guest is
# started. At no instant is there more than the budget allows, each fault is healed, and a seed is the same each time.

use strict;
use warnings;
use File::Temp 'tempdir';
use FindBin;
use Test::More;

my $top = "$FindBin::Bin/../..";
my $bin = $ENV{BIN} // "$top/build/bin";
plan skip_all => "there is no $bin/umf-lab; make tools" if !-x "$bin/umf-lab";
my $work = tempdir(CLEANUP => 1);
chdir $work or die;

sub put
{
	my ($name, $text) = @_;

	open(my $out, '>', $name) or die "$name: $!\n";
	print $out $text;
	close $out;
}

# what is called a kernel and a root file system here is never started
put('rootfs', 'x');
put('t.lab', <<'E');
rootfs = rootfs
segment lan {}
guest n[1-3] {
	nic eth0 { segment = lan }
	nic eth1 { segment = lan }
	serial ttyS0 { transport = null }
	disk umfa { size = 1M }
}
E

sub lab
{
	open(my $in, '-|', "$bin/umf-lab", '--kernel', '/bin/true', @_) or die;
	local $/;
	my $said = <$in> // '';
	close $in;
	return $said;
}

# [ seed, [ { nr kind guest device action time at }, … ], its lines ], …
sub schedules
{
	my @all;

	for (split /^/, $_[0]) {
		push @all, [ $1, [], [] ] if /^# umf-lab test: .*, seed (\d+), \d+ faults$/;
		push @{$all[-1][2]}, $_;
		my %fault;
		@fault{qw(nr kind guest device action time at)} = ($1, $2, $3, $4, $5, $6, $7)
			if /^# f(\d+): (\w+) (\w+) (\w+) (\w+), ([\d.]+) s from ([\d.]+) s on$/;
		push @{$all[-1][1]}, \%fault if %fault;
	}
	return @all;
}

my %starts = (kill => 1, reboot => 1);
my %whole = (%starts, freeze => 1);

# space <name> <the faults section> <from> <for> <shortest> <longest> <back> <budgets>
sub space
{
	my ($name, $faults, $from, $for, $shortest, $longest, $back, %budget) = @_;
	my (%wrong, %drawn, %on, %different, $most, $kinds);

	put("$name.test", "lab = t.lab\nfaults {\n$faults}\n");
	my $said = lab('explore', "$name.test", '--runs', 1000, '--dry-run');
	my @all = schedules($said);
	is(scalar @all, 1000, "$name: 1,000 schedules");
	for my $schedule (@all) {
		my ($seed, $list, $lines) = @$schedule;
		my $text = join '', @$lines;
		my %in;

		$wrong{empty} //= $seed if !@$list;
		$different{$text =~ s/seed \d+, \d+ faults//r} = 1;
		for my $fault (@$list) {
			$fault->{end} = $fault->{at} + $fault->{time} + ($starts{$fault->{action}} ? $back : 0);
			$drawn{"$fault->{kind} $fault->{action}"}++;
			$in{$fault->{action}} = 1;
			$on{"$fault->{guest} $fault->{device}"}++;
			$wrong{'out of its time'} //= "$seed f$fault->{nr}"
				if $fault->{at} < $from || $fault->{end} > $from + $for + 1e-9;
			$wrong{'too short or long'} //= "$seed f$fault->{nr}" if $fault->{action} ne 'reboot' &&
				($fault->{time} < $shortest - 1e-9 || $fault->{time} > $longest + 1e-9);
		}
		# numbers go up where one begins, and nowhere else
		for my $now (@$list) {
			my @there = grep { $_->{at} <= $now->{at} && $now->{at} < $_->{end} } @$list;
			my %n;
			$n{$_->{kind}}++ for @there;
			$most = @there if @there > ($most // 0);
			$wrong{'more than any'} //= $seed if @there > $budget{any};
			for (keys %n) {
				$wrong{"more than $_"} //= $seed if $n{$_} > ($budget{$_} // $budget{any});
			}
			for my $one (@there) {
				next if $one == $now || $one->{guest} ne $now->{guest};
				$wrong{'beside one of a whole guest'} //= $seed if $whole{$one->{action}} || $whole{$now->{action}};
				$wrong{'twice on a device'} //= $seed
					if $one->{action} eq $now->{action} && $one->{device} eq $now->{device};
			}
		}
		# a kill is followed by its guest's start, a freeze by its thaw, a rule has an end of its own
		for my $fault (@$list) {
			my $end = sprintf '%.3fs', $fault->{at} + $fault->{time};
			my $line = $fault->{action} eq 'kill' ? "$end ! umf-lab power on $fault->{guest}\n" :
				$fault->{action} eq 'freeze' ? "$end ! umf-lab thaw $fault->{guest}\n" : undef;
			my $ok = defined $line ? scalar grep { $_ eq $line } @$lines :
				$text =~ /^[\d.]+s $fault->{guest} add $fault->{device} $fault->{action}\b.* id=f$fault->{nr}$/m &&
				($fault->{action} eq 'reboot' || $& =~ / for=/);
			$wrong{'has no end'} //= "$seed f$fault->{nr}" if !$ok;
		}
		$wrong{'no heal'} //= $seed if $text !~
			/^end ! umf-lab thaw n1 n2 n3 [^\n]*umf-lab power on && umf-lab wait [^\n]*\nend n1,n2,n3 clear\n\z/m;
		my @times = map { /^([\d.]+)s/ ? $1 : () } @$lines;
		$wrong{'times go back'} //= $seed if join(' ', @times) ne join(' ', sort { $a <=> $b } @times);
		$kinds->{join ' ', sort keys %in}++;
	}
	is(join(', ', map { "$_: seed $wrong{$_}" } sort keys %wrong), '', "$name: ... none is wrong");
	cmp_ok(scalar keys %different, '>', 900, "$name: ... they differ");
	is($most, $budget{any}, "$name: ... at most as many at once as the budget has, and so many in some");
	cmp_ok(scalar keys %$kinds, '>=', 3, "$name: ... seeds draw which actions there are");
	ok(lab('explore', "$name.test", '--runs', 1000, '--dry-run') eq $said, "$name: ... and are the same another time");
	return (\%drawn, \%on);
}

my ($drawn, $on) = space('one', <<'E', 1, 20, 0.5, 10, 5, any => 1);
	from = 1s   for = 20s
	net { on = "n*:eth0" actions = { drop, delay, corrupt, down, partition } }
E
is(join(' ', sort keys %$on), 'n1 eth0 n2 eth0 n3 eth0', 'a pattern is all that it fits');
is(join(' ', sort keys %$drawn), 'net corrupt net delay net down net drop net partition', 'each action is drawn');

($drawn, $on) = space('many', <<'E', 10, 120, 0.25, 30, 5, any => 4, net => 2, disk => 1, node => 1);
	from = 10s  for = 2m  shortest = 250ms  longest = 30s
	budget { any = 4  net = 2  disk = 1  node = 1 }
	net  { on = { "n1:eth*", "n2:eth1" }  actions = { drop, dup, hold, down } }
	disk { on = "n*:umfa"  actions = { error, delay, hang, powercut } }
	node { on = "n*" actions = { kill, freeze, reboot, clock } }
	tty  { on = "n3:ttyS0" actions = { cut, corrupt } }
E
is(join(' ', sort keys %$on), 'n1 eth0 n1 eth1 n1 node n1 umfa n2 eth1 n2 node n2 umfa n3 node n3 ttyS0 n3 umfa',
	'targets of all kinds');
is(scalar keys %$drawn, 14, 'each action is drawn, of all kinds');
my ($low, $high) = (sort { $a <=> $b } values %$drawn)[0, -1];
cmp_ok($high, '<', 12 * $low, '... none hardly ever') or diag(explain($drawn));

space('nodes', <<'E', 2, 60, 1, 8, 4, any => 2);
	from = 2s  for = 60s  shortest = 1s  longest = 8s
	budget { any = 2  back = 4s }
	node { on = "n*" actions = { kill, freeze, reboot } }
E
# more of its kinds than of all
space('any', <<'E', 0, 60, 0.5, 10, 5, any => 2);
	for = 60s
	budget { any = 2 }
	net  { on = "n*:eth*"  actions = { drop, delay, down } }
	disk { on = "n*:umfa"  actions = { error, delay, hang } }
E
# as short as it may be: twice a fault
space('short', <<'E', 0, 1, 0.5, 10, 5, any => 1);
	for = 1s
	net { on = "n1:eth0" actions = { drop, delay, down } }
E

# ---- one seed ----

my $one = lab('test', 'many.test', '--seed', 7, '--dry-run');
my ($seven) = grep { $_->[0] == 7 } schedules(lab('explore', 'many.test', '--runs', 9, '--dry-run'));
is($one, join('', @{$seven->[2]}), 'test draws what explore does');
my ($first, $last) = (grep { $_->{time} > 0.2 } @{$seven->[1]})[0, -1];
my @less = schedules(lab('test', 'many.test', '--seed', 7, '--dry-run', '--only', "f$last->{nr},f$first->{nr}:200ms"));
is(join(' ', map { $_->{nr} } @{$less[0][1]}), "$first->{nr} $last->{nr}", '--only leaves the others out');
is($less[0][1][0]{time}, '0.200', '... and makes one shorter');
is($less[0][1][1]{at}, $last->{at}, '... what stays stays where it is');
for (['f999', 'the seed has no such fault'], ["f$first->{nr}:1h", 'no longer than as drawn'], ['x', 'the seed has no such fault']) {
	my $err = qx('$bin/umf-lab' --kernel /bin/true test many.test --seed 7 --dry-run --only '$_->[0]' 2>&1);
	is($? >> 8, 2, "--only $_->[0]: status");
	like($err, qr/$_->[1]/, '... says why');
}
is(join(' ', glob('*')), 'any.test many.test nodes.test one.test rootfs short.test t.lab', '--dry-run makes nothing');

# The grammar that there is: mconsole-fault reads it, and only misses the guests.
my @texts = map { join '', @{$_->[2]} } schedules(lab('explore', 'many.test', '--runs', 20, '--dry-run'));
my @status;
for (@texts) {
	put('timeline', $_);
	qx('$bin/mconsole-fault' --check run timeline 2>&1);
	push @status, $? >> 8;
}
is(join(' ', @status), join(' ', (3) x 20), 'mconsole-fault run takes each');
done_testing();
