# The boot sector: reads pieces of the disk into memory, above the first megabyte too, and jumps to a Linux kernel by its 32-bit boot
# protocol. machine.py writes the table of pieces to the end of the sector. KERNEL and PARAMETERS are physical addresses, and BUFFER is
# one of 64 KB below 1 MB, all given on the command line of `as`.
        .code16
        .globl  start
start:  cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0x7c00, %sp
        # A20, the "fast" way: without it every other megabyte is the one before.
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        # A segment loaded in protected mode keeps its limit of 4 GB in real mode, so that the copies below reach everything.
        lgdtl   gdtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        movw    $0x18, %bx
        movw    %bx, %es
        movw    %bx, %ds
        andb    $0xfe, %al
        movl    %eax, %cr0
        xorw    %ax, %ax
        movw    %ax, %es
        movw    %ax, %ds
        sti
        movw    $table, %bp
piece:  movl    4(%bp), %ecx
        testl   %ecx, %ecx
        jz      enter
        # At most 127 sectors at a time: 64 KB less one.
        cmpl    $127, %ecx
        jbe     read
        movl    $127, %ecx
read:   movw    %cx, packet + 2
        movl    (%bp), %eax
        movl    %eax, packet + 8
        addl    %ecx, (%bp)
        subl    %ecx, 4(%bp)
        pushl   %ecx
        pushw   %bp
        movb    $0x42, %ah
        movb    $0x80, %dl
        movw    $packet, %si
        int     $0x13
        popw    %bp
        popl    %ecx
failed: jc      failed
        movl    $BUFFER, %esi
        movl    8(%bp), %edi
        # Sectors in words of four bytes.
        shll    $7, %ecx
        cld
        rep movsl (%esi), %es:(%edi)
        movl    %edi, 8(%bp)
        cmpl    $0, 4(%bp)
        jnz     piece
        addw    $12, %bp
        jmp     piece
enter:  cli
        lgdtl   gdtr
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $0x10, $flat
        .code32
flat:   movl    $0x18, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %eax, %ss
        movl    $PARAMETERS, %esi
        xorl    %ebp, %ebp
        xorl    %edi, %edi
        xorl    %ebx, %ebx
        movl    $KERNEL, %eax
        jmp     *%eax
        .balign 8
# The protocol wants flat code at 0x10 and flat data at 0x18.
gdt:    .quad   0, 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdtr:   .word   31
        .long   gdt
# What the BIOS is asked for: 16 bytes, sectors, where to (segment and offset), from which sector.
        .balign 4
packet: .word   16, 0, 0, BUFFER >> 4
        .quad   0
# First sector, number of sectors, address: four pieces, the last of which has none.
        .org    TABLE
table:  .fill   12, 4, 0
        .org    510
        .word   0xaa55
