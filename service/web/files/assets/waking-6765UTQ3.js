import{a,b,c,d,e,f}from"./chunk-UZ72VMS4.js";import"./chunk-IJFRVKBB.js";export{d as canWake,c as startWaking,f as stopWaking,e as wake,b as wakingOf,a as wakings};
