// SPDX-License-Identifier: GPL-2.0
/*
 * Characters on the wire: equal settings give them back, others give what the
 * levels on the line, drawn by hand below, look like at the other speed.
 */
#include <linux/kernel.h>
#include "umf_kunit.h"
#include "tty/wire.h"

static const struct umf_wire wire_8n1 = { .speed = 9600, .bits = 8, .stop = 1 };

static void wire_pack_test(struct kunit *test)
{
	struct umf_wire wire, back;
	u32 packed;

	for (wire.bits = 5; wire.bits <= 8; wire.bits++)
		for (wire.parity = 0; wire.parity <= UMF_PARITY_SPACE; wire.parity++)
			for (wire.stop = 1; wire.stop <= 2; wire.stop++) {
				wire.speed = 4000000;
				umf_wire_unpack(umf_wire_pack(&wire), &back);
				KUNIT_EXPECT_EQ(test, back.speed, wire.speed);
				KUNIT_EXPECT_EQ(test, back.bits, wire.bits);
				KUNIT_EXPECT_EQ(test, back.parity, wire.parity);
				KUNIT_EXPECT_EQ(test, back.stop, wire.stop);
			}
	/* any number is within the ranges */
	for (packed = 0; packed < 0xff000000; packed += 0x00fedcbb) {
		umf_wire_unpack(packed, &back);
		KUNIT_EXPECT_LE(test, back.parity, UMF_PARITY_SPACE);
		KUNIT_EXPECT_LE(test, umf_wire_len(&back), 12);
	}
}

static u32 read_one(const struct umf_wire *wire, u32 sym)
{
	u32 out[UMF_WIRE_MAX];

	return umf_wire_read(wire, wire, sym, out) == 1 ? out[0] : ~0U;
}

static void wire_equal_test(struct kunit *test)
{
	struct umf_wire wire = wire_8n1;
	u32 sym;

	for (wire.parity = 0; wire.parity <= UMF_PARITY_SPACE; wire.parity++)
		for (wire.stop = 1; wire.stop <= 2; wire.stop++)
			for (sym = 0; sym < 256; sym++)
				KUNIT_EXPECT_EQ(test, read_one(&wire, sym), sym);
}

static void wire_marks_test(struct kunit *test)
{
	struct umf_wire even = wire_8n1;

	even.parity = UMF_PARITY_EVEN;
	KUNIT_EXPECT_EQ(test, read_one(&even, 'a' | UMF_SYM_PARITY),
			'a' | UMF_SYM_PARITY);
	KUNIT_EXPECT_EQ(test, read_one(&wire_8n1, 'a' | UMF_SYM_FRAME),
			'a' | UMF_SYM_FRAME);
	KUNIT_EXPECT_EQ(test, read_one(&wire_8n1, UMF_SYM_BREAK),
			UMF_SYM_BREAK);
}

struct wire_case {
	u32 tx, rx;		/* speeds, 8N1 both */
	u8 sent;
	unsigned int n;
	u32 got[4];
};

static const struct wire_case wire_cases[] = {
	/*
	 * 0 10101010 1 at half the receiver's speed: 0 01100110 0, which is no
	 * stop bit, 11, then 0 01100111 1
	 */
	{ 4800, 9600, 0x55, 2, { 0x66 | UMF_SYM_FRAME, 0xe6 } },
	/* at twice its speed: in the middle of the start bit it is over */
	{ 19200, 9600, 0x55, 0, { } },
	/* nine bits low, four and a half of its own: 0 000 11111 */
	{ 19200, 9600, 0x00, 1, { 0xf8 } },
	/* all ones: only the start bit, twice as long, then idle */
	{ 4800, 9600, 0xff, 1, { 0xfe } },
	/* all zeros: nine bits of nothing, eighteen of its own */
	{ 4800, 9600, 0x00, 1, { UMF_SYM_BREAK } },
	/* a start bit too short to be seen */
	{ 38400, 9600, 0xff, 0, { } },
};

static void wire_speed_test(struct kunit *test)
{
	u32 out[UMF_WIRE_MAX];
	unsigned int i, k, n;

	for (i = 0; i < ARRAY_SIZE(wire_cases); i++) {
		const struct wire_case *c = &wire_cases[i];
		struct umf_wire tx = wire_8n1, rx = wire_8n1;

		tx.speed = c->tx;
		rx.speed = c->rx;
		n = umf_wire_read(&tx, &rx, c->sent, out);
		KUNIT_EXPECT_EQ_MSG(test, n, c->n, "case %u", i);
		for (k = 0; k < min(n, c->n); k++)
			KUNIT_EXPECT_EQ_MSG(test, out[k], c->got[k],
					    "case %u, %u", i, k);
	}
}

static void wire_any_test(struct kunit *test)
{
	static const u32 speeds[] = { 1, 50, 9600, 9700, 115200, 4000000 };
	u32 out[UMF_WIRE_MAX], sym;
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(speeds); i++)
		for (k = 0; k < ARRAY_SIZE(speeds); k++)
			for (sym = 0; sym < 0x1000; sym += 7) {
				struct umf_wire tx = wire_8n1, rx = wire_8n1;

				tx.speed = speeds[i];
				rx.speed = speeds[k];
				KUNIT_EXPECT_LE(test,
						umf_wire_read(&tx, &rx, sym, out),
						UMF_WIRE_MAX);
			}
}

static void wire_same_test(struct kunit *test)
{
	struct umf_wire other = wire_8n1;

	KUNIT_EXPECT_TRUE(test, umf_wire_same(&wire_8n1, &other));
	other.speed = 9700;
	KUNIT_EXPECT_TRUE(test, umf_wire_same(&wire_8n1, &other));
	other.speed = 10000;
	KUNIT_EXPECT_FALSE(test, umf_wire_same(&wire_8n1, &other));
	other = wire_8n1;
	other.stop = 2;
	KUNIT_EXPECT_TRUE(test, umf_wire_same(&wire_8n1, &other));
	other.parity = UMF_PARITY_ODD;
	KUNIT_EXPECT_FALSE(test, umf_wire_same(&wire_8n1, &other));
	other.speed = 0;
	KUNIT_EXPECT_TRUE(test, umf_wire_same(&wire_8n1, &other));
}

static struct kunit_case wire_cases_all[] = {
	KUNIT_CASE(wire_pack_test),
	KUNIT_CASE(wire_equal_test),
	KUNIT_CASE(wire_marks_test),
	KUNIT_CASE(wire_speed_test),
	KUNIT_CASE(wire_any_test),
	KUNIT_CASE(wire_same_test),
	{}
};

static struct kunit_suite wire_suite = {
	.name = "umf_tty_wire",
	.test_cases = wire_cases_all,
};

kunit_test_suite(wire_suite);
