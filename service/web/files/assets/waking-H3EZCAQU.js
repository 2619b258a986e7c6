import{a,b,c,d,e,f}from"./chunk-JAPNG7P4.js";import"./chunk-HWCZA4EL.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
