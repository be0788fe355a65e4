#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# alone
#
# mconsole-fault run, wait and long requests, against guests that are silent, late, gone or another boot at a moment
# of the test's choosing. With real guests: fault-run.t.

use strict;
use warnings;
no warnings 'qw';	# guests are named with commas
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time sleep);

my $top = abs_path(dirname(__FILE__) . '/../..');
my $tool = $ENV{TOOL} = ($ENV{BIN} // "$top/build/bin") . '/mconsole-fault';
plan skip_all => "there is no $tool; make tools" unless -x $tool;
require "$top/tests/lib/fake-guests.pl";
our ($dir, $out, $err, $took);
chdir $dir;

sub start_run
{
	my ($text, @options) = @_;
	open(my $file, '>', "$dir/t") or die;
	print $file $text;
	close $file;
	return start(@options, 'run', 't');
}

sub run_file { return finish(start_run(@_)) }

sub shown { return scalar grep { /$_[0]/ } split /\n/, $out }

sub touch { open(my $file, '>', "$dir/$_[0]") }

sub until_true
{
	my ($seconds, $test) = @_;
	my $end = time + $seconds;
	sleep 0.02 until $test->() || time > $end;
}

# A guest with a clock, rules and events: $o->{booted} is when it booted, $o->{at} when each event was, by time();
# each is in the reply from then on. $o->{before}->(request) is called first.
sub clock_guest
{
	my ($name, $o) = @_;
	return guest($name, sub {
		my ($request) = @_;
		$o->{before}->($request, $o) if $o->{before};
		my $now = time;
		my $text = '';
		for my $statement (split /; /, $request =~ s/^fault //r) {
			if ($statement eq 'time') {
				$text .= sprintf("time=%.9f\n", ($now - $o->{booted}) * ($o->{speed} // 1));
			} elsif ($statement =~ /^events since=(\d+)/) {
				my $seq = 0;
				for (@{$o->{at}}) {
					$seq++;
					next if $seq <= $1 || $_ > $now;
					$text .= sprintf("seq=%d time=%.9f device=eth0 rule=%s action=drop index=%d what=\"\"\n",
						$seq, ($_ - $o->{booted}) * ($o->{speed} // 1), $o->{rule} // 'x', $seq);
				}
			} elsif ($statement =~ /^stats/) {
				return packets("r1: no such rule\n", 1) if $o->{no_rule};
				my $fired = grep { $_ <= $now } @{$o->{at}};
				$text .= "r1 eth0 drop state=open evaluated=$fired matched=$fired fired=$fired bytes=0\n";
			}
		}
		return packets($text);
	});
}

# ---- the file is whole before anything is sent ----

clock_guest('n1', { booted => time - 10, at => [] });
clock_guest('n2', { booted => time - 10, at => [] });
for (['n1,n1 list', 'n1: named twice'], ['n1,,n2 list', 'name is missing'], [',n1 list', 'name is missing'],
	['n1 wait r1 fried>=1', 'fried>=1: must be'], ['n1 add eth0 drop id=' . 'x' x 600, 'more than the 511']) {
	my ($line, $why) = @$_;
	unlink "$dir/n1.log";
	my $name = $line =~ s/x{9,}/x.../r;
	is(run_file("n1 add eth0 drop id=left\n$line\nend n1 clear\n"), 2, "'$name' in the middle: status");
	like($err, qr/^t:2: .*\Q$why\E/, '... is said, with its line');
	is(requests('n1'), '', '... before anything was sent');
}

# ---- --check ----

unlink "$dir/n1.log";
is(run_file("n1 add eth0 drop\nn1,n2 list\n", '--check'), 0, 'a file that is right: status');
is($out . $err, "t: 2 lines, all guests are there\n", '... is said to be');
is(run_file("n1 add eth0 drop\n! true\n5s n1,nobody list\nn2 fly\n", '--check'), 2, 'one that is wrong: status');
like($err, qr/^t:4: fly: no such verb/, '... says what and where');
is(run_file("n1 add eth0 drop\n! touch oh\n5s n1,nobody list\nnobody list\n", '--check'), 3, 'a guest that is not there: status');
like($err, qr/^t:3: nobody: no such guest .*running: n1 n2\n\z/, '... is named once, with its line');
is(requests('n1'), '', '... and nothing was sent');
ok(!-e "$dir/oh", '... nor done');
is(run(qw(--check n1 list)), 2, '--check without run is refused');
is(run_file("n1 add eth0 drop\nnobody list\nend n1 clear\n"), 3, 'a run with a name nobody answers to: status');
like($out, qr/\A *0\.0\S+ host +- nobody: nobody answers to that name yet\n/, '... warns before anything else');
like($out, qr/nobody +! no such guest/, '... and fails there');
like($out, qr/> clear/, '... the end is done');

# ---- whoever reads goes away ----

open(my $script, '>', "$dir/t");
print $script "! echo one\n+200ms ! echo two\n+300ms ! echo three; touch three\n+300ms ! touch four\nend ! touch end\n";
close $script;
system("$tool run t 2>gone.err | head -n 1 >/dev/null");
until_true(10, sub { -e "$dir/end" });
ok(-e "$dir/end", 'nobody reads the timeline any more: its end is done');
ok(!-e "$dir/four", '... and nothing before it');

# ---- guests that are silent ----

my $pid = clock_guest('hangs', { booted => time, at => [time + 1], before => sub { sleep 6 if !-e "$dir/hung" && touch('hung') } });
is(run(qw(hangs wait r1 fired>=1 --timeout 60s)), 0, 'wait: a guest that hangs for longer than an answer may take');
kill_guest($pid);
unlink "$dir/hung";
$pid = clock_guest('hangs', { booted => time, at => [time + 1], before => sub {
	sleep 6 if $_[0] =~ /stats/ && !-e "$dir/hung" && touch('hung') } });
is(run_file("hangs wait r1 fired>=1 --timeout 60s\n"), 0, '... in a timeline');
like($out, qr/hangs = true/, '... comes true');
kill_guest($pid);
$pid = clock_guest('mute', { before => sub { sleep 1000 } });
is(run(qw(mute wait r1 fired>=1 --timeout 300ms)), 3, '... one that never answers: status');
like($err, qr/^mute: no answer in time$/, '... is said');
kill_guest($pid);
$pid = clock_guest('falls', { booted => time, at => [time + 1000], before => sub { sleep 1000 if -e "$dir/fall" } });
my $wait = start(qw(falls wait r1 fired>=1 --timeout 2s));
until_true(10, sub { requests('falls') =~ /stats.*stats/s });	# the first one was answered
touch('fall');
is(finish($wait), 4, '... one that answered and then falls silent: status');
like($err, qr/^falls: r1 fired>=1: saw .* fired=0 .*; since then: no answer in time$/, '... says what was seen');
kill_guest($pid);
my $mute = clock_guest('mute', { before => sub { sleep 1000 } });
clock_guest('quick', { booted => time, at => [time + 1000] });
$wait = start(qw(mute,quick wait r1 fired>=1));
sleep 8;
ok((() = requests('quick') =~ /stats/g) > 3, 'a silent guest does not keep the others from being asked');
kill 'INT', $wait;
finish($wait);
kill_guest($mute);

# ---- guests that boot ----

# boots <name> <seconds> <guest>: another one of that name, so much later; its folder is empty meanwhile
sub boots
{
	my ($name, $old, $seconds, $o) = @_;
	kill_guest($old);
	unlink "$dir/uml/$name/mconsole";
	sleep $seconds;
	return clock_guest($name, $o);
}

for my $how ('wait', 'run') {
	my $first = clock_guest('again', { booted => time, at => [] });
	$wait = $how eq 'wait' ? start(qw(again wait r1 fired>=1 --timeout 60s)) :
		start_run("again wait r1 fired>=1 --timeout 60s\n");
	until_true(10, sub { requests('again') =~ /stats/ });
	unlink "$dir/rule";
	my $booted = time + 1;
	my $second = boots('again', $first, 1, { booted => $booted, at => [$booted + 0.5],
		before => sub { $_[1]{no_rule} = !-e "$dir/rule" } });
	until_true(10, sub { requests('again') =~ /stats/ });
	sleep 0.3;
	touch('rule');
	is(finish($wait), 0, "$how: a guest that boots, and makes its rules late, is waited for");
	kill_guest($second);
}
my $first = clock_guest('again', { booted => time, at => [] });
$wait = start_run("again wait r1 fired==0\n! touch ready; until test -e go; do sleep 0.02; done\nagain list\n");
until_true(10, sub { -e "$dir/ready" });
kill_guest($first);
unlink "$dir/uml/again/mconsole";
touch('go');
sleep 0.7;
my $second = clock_guest('again', { booted => time, at => [] });
is(finish($wait), 0, 'a line for a guest that is just booting waits for it');
kill_guest($second);

# ---- events, whatever is known of the clocks ----

my $base;

# The guest answers its first question late: how far its clock is from ours is known to half a second then.
for my $silent (0.8, 2.5) {
	# 2.5: longer than the run waits, so that it begins without having heard of the guest
	unlink "$dir/was-late";
	my $o = { booted => time - 100, at => [time - 50], before => sub {
		my ($request, $o) = @_;
		return if -e "$dir/was-late";
		touch('was-late');
		sleep $silent;
		push @{$o->{at}}, time + 0.7, time + 1;
	} };
	$pid = clock_guest('late', $o);
	is(run_file("+4s\n"  . "late stats\n"), 0, "a first answer that is $silent s late: status");
	is(shown('late +\* eth0 x drop [23]'), 2, '... events of the run are shown, each once');
	is(shown('drop 1'), 0, '... those from before are not');
	kill_guest($pid);
}
# What happened in the run while the guest was silent from the beginning.
unlink "$dir/was-late";
$pid = clock_guest('late', { booted => time - 100, at => [time - 50, time + 2.3], before => sub {
	sleep 2.5 if !-e "$dir/was-late" && touch('was-late') } });
run_file("+4s\nlate stats\n");
is(shown('drop 2') . shown('drop 1'), '10', 'so is what happened before the first answer');
kill_guest($pid);

# A guest that boots while the run goes on, and is slow to give its first answer: by the middle between question and
# answer its first events were before the run.
$wait = start_run("! touch began; sleep 3\nend slowboot stats\n");
until_true(20, sub { -e "$dir/began" });
my $booted = time;
$pid = clock_guest('slowboot', { booted => $booted, at => [$booted + 0.01, $booted + 0.02, $booted + 0.8], before => sub {
	sleep 0.95 if !-e "$dir/slow-once" && touch('slow-once') } });
finish($wait);
is(join(' ', $out =~ / drop (\d)/g), '1 2 3', 'a guest that boots and is slow at first: its events, from the first one on');
kill_guest($pid);

# Another boot behind the same socket, or behind a new one: its events count from 1 again.
$base = time;
$pid = clock_guest('reboots', { booted => $base - 100, at => [$base - 1, $base + 1.2, $base + 1.3], before => sub {
	my ($request, $o) = @_;
	return if time < $base + 2;
	%$o = (booted => $base + 2, rule => 'y', at => [$base + 2.1, $base + 2.2, $base + 2.3]);
} });
is(run_file("+4s\nreboots stats\n"), 0, 'a guest that boots in place: status');
is(shown('x drop [23]'), 2, '... its events before');
is(shown('y drop [123]'), 3, '... and after, from the first one on');
is(shown('drop \d'), 5, '... each once');
kill_guest($pid);

# Its new boot is as old as the first one was, and its socket has been heard of by nobody in between.
$base = time;
$pid = clock_guest('reboots', { booted => $base, at => [$base + 0.5], before => sub {
	sleep 1000 if time > $base + 1.5 } });
$wait = start_run("+7s\nreboots stats\n");
sleep 1.8;
my $old = $pid;
$pid = boots('reboots', $old, 0, { booted => $base - 3, rule => 'y', at => [$base + 2.6, $base + 2.7, $base + 2.8] });
finish($wait);
is(shown('y drop [123]') . shown('y drop'), '33', 'another socket is another boot, whatever its clock says');
kill_guest($pid);

# A clock that is slow is no other boot.
$base = time;
$pid = clock_guest('slow', { booted => $base - 10, speed => 0.5, at => [$base + 1, $base + 1.5, $base + 2] });
run_file("+3s\nslow stats\n");
is(shown('drop \d'), 3, 'a guest whose clock is slow: each event once');
kill_guest($pid);

# ---- the console ----

$base = time;
open(my $console, '>', "$dir/console");
$console->autoflush(1);
$pid = clock_guest('talks', { booted => $base - 100, at => [], before => sub { sleep 1000 if time > $base + 1 } });
$wait = start_run("+3s\n! true\n", '--console', "talks=$dir/console");
sleep 0.5;
printf $console "[  100.600000] as it was\n";
sleep 1;
# another boot, of which nothing was heard yet
printf $console "[    0.000000] hello\n[    0.100000] a \0 in it\n";
finish($wait);
is(shown('talks # \[  100.600000\] as it was'), 1, 'the console is shown');
is(shown('talks # \[    0.000000\] hello'), 1, '... also when its clock says that it was before the run');
is(shown('talks # \[    0.100000\] a \? in it'), 1, '... with whatever is in it');
kill_guest($pid);

# ---- several statements ----

my @rules = map { 'add eth0 drop match="ip  " bpf="1,6 0 0 0' . ' ' x 150 . "\" id=rule$_" } 1 .. 5;
guest('many', sub { packets($_[0] =~ /rule4/ && -e "$dir/no4" ? ("rule4: is wrong\n", 1) : join('', map { "$_\n" } $_[0] =~ /id=(\w+)/g)) });
unlink "$dir/many.log";
is(run('many', join("\n", 'seed 5', @rules, '')), 0, 'a list that is longer than a request: status');
is($out, join('', map { "rule$_\n" } 1 .. 5), '... all of it is done, in its order');
is(requests('many') =~ tr/\n//, 3, '... in as few requests as it takes');
is(join('; ', map { s/^fault //r } split /\n/, requests('many')), join('; ', 'seed 5', map { s/"/'/gr } @rules),
	'... which are what it was');
touch('no4');
unlink "$dir/many.log";
is(run('many', join("\n", @rules)), 1, 'one of them is refused: status');
like($out . $err, qr/\Arule1\nrule2\nmany: rule4: is wrong\n\z/, '... those before it stand');
unlike(requests('many'), qr/rule5/, '... and nothing behind it is sent');
unlink "$dir/no4", "$dir/many.log";
is(run('many', "seed 5; add eth0 drop bpf='" . 'x' x 600 . "'"), 2, 'a statement that is too long: status');
like($err, qr/statement 2: the request has \d+ bytes, \d+ more than the 511 a guest takes; a simpler filter/, '... which one is said');
is(requests('many'), '', '... and nothing is sent');
unlike(run('many', 'del', 'x' x 600) . $err, qr/filter/, 'the advice is for filters only');
open(my $saved, '>', "$dir/saved");
print $saved join("\n", '', @rules, '');
close $saved;
is(system("$tool many - <saved >out 2>err") >> 8, 0, 'statements from standard input: status');
is(slurp("$dir/out"), join('', map { "rule$_\n" } 1 .. 5), '... are done');
is(system("$tool many - </dev/null >out 2>err") >> 8, 2, '... none: status');
is(run_file('many ' . join('; ', @rules) . "\n"), 0, 'in a timeline: status');
is(shown('many = rule'), 5, '... all are done');
run('--json', 'many', join("\n", @rules));
is_deeply(json_of($out), { guest => 'many', reply => join('', map { "rule$_\n" } 1 .. 5) }, 'in JSON they are one reply');

sub json_of { return scalar eval { JSON::PP->new->decode($_[0]) } }

# ---- numbers that are too long for JSON ----

my ($fits, $long) = ('9007199254740992', '9007199254740993');
guest('big', sub { packets($_[0] =~ /list/ ? "seed 42\nadd umfa error sectors=$long-18446744073709551615 seed=7 count=$long every=$fits id=r1\n" :
	"r1 umfa error state=open evaluated=$fits matched=$long fired=18446744073709551615 bytes=1\n") });
run(qw(--json big list));
my $list = json_of($out);
like($out, qr/"seed":\s*"42"/, 'a seed is a string');
like($out, qr/"seed":\s*"7"/, '... also a rule\'s');
is_deeply($list->[1]{params}{sectors}, { first => $long, last => '18446744073709551615' }, 'a range has its numbers exactly');
like($out, qr/"count":\s*"$long"/, 'a number above 2^53 is a string');
like($out, qr/"every":\s*$fits\b/, '... 2^53 is a number');
run(qw(--json big stats));
like($out, qr/"evaluated":\s*$fits,.*"matched":\s*"$long"/, 'in stats too');
is(run(qw(big expect r1 fired==18446744073709551615), "matched==$long"), 0, 'conditions know such numbers');
is(run(qw(--json big expect r1), "matched>$long"), 4, '... to the last digit');
like($out, qr/"seen":\s*"$long"/, '... and show them');
like($err, qr/saw evaluated=$fits matched=$long fired=18446744073709551615 bytes=1 state=open/, '... all of them');

# ---- guests of labs ----

SKIP: {
	my $folder = "/dev/shm/umf-lab-$<";
	my $base = "$folder/fake-$$";
	my $had = -e $folder;
	skip 'there is no /dev/shm', 1 unless -d '/dev/shm' && ($had || mkdir $folder, 0700) && mkdir $base;
	mkdir "$base/uml";
	my $in_lab = guest('inlab', sub { packets('') }, dir => "$base/uml");
	is(run(qw(inlab list)), 3, 'a guest of a lab is not found: status');
	like($err, qr/; a lab has a guest of that name: umf-lab fault inlab \.\.\. reaches it$/, '... but the way to it is told');
	kill_guest($in_lab);
	run(qw(inlab list));
	unlike($err, qr/umf-lab/, '... not if it is dead');
	system('rm', '-rf', $base);
	rmdir $folder if !$had;
}

done_testing;
